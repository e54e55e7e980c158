    // Products of a thread's four rows of the tile ROWS with its four columns of `columns`: NAME0 … NAME3, by column.
    //#for C in 0..4
    //#for R in 0..4
    var ${NAME}${R}_${C} = vec4(0.0);
    //#end
    //#end
    for (var quad = 0u; quad < QUADS; quad++) {
      //#for R in 0..4
      let a${R} = ${ROWS}[(ty * 4u + ${R}u) * ROW + quad];
      //#end
      //#for C in 0..4
      let b${C} = columns[(tx + ${8 * C}u) * ROW + quad];
      //#for R in 0..4
      ${NAME}${R}_${C} = fma(a${R}, b${C}, ${NAME}${R}_${C});
      //#end
      //#end
    }
    //#for C in 0..4
    let ${NAME}${C} = vec4(total(${NAME}0_${C}), total(${NAME}1_${C}), total(${NAME}2_${C}), total(${NAME}3_${C}));
    //#end
