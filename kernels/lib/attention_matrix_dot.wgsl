    // Products of the subgroup's rows of a head, the matrices ROWS0_0 …, with the tile at AT: into its strip, by columns.
//#for J in 0..COLUMNS / MATRIX_N
    {
//#for I in 0..EACH / MATRIX_M
      var s${I} = Result();
//#end
//#for KK in 0..HEAD_SIZE / MATRIX_K
      {
        let b = load_along_matrix(${AT + J * MATRIX_N * HEAD_WORDS + KK * MATRIX_K / 8}u);
//#for I in 0..EACH / MATRIX_M
        s${I} = multiply_along(${ROWS}${I}_${KK}, b, s${I});
//#end
      }
//#end
//#for I in 0..EACH / MATRIX_M
      store_result_columns(strip + ${J * MATRIX_N * STRIP_COLUMN + I * MATRIX_M / 4}u, ${STRIP_COLUMN}u, s${I});
//#end
    }
//#end
