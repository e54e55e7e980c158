      // Part of product_registers.wgsl and product_broadcast.wgsl: a column's products in one step of k, its B given.
//#for I in 0..EACH_M
      s${I}_${COLUMN} = fma(
        a${A_K ? 0 : STEP}_${A_K ? I : (I - I % 4) / 4}[${A_K ? STEP : I % 4}],
        ${B},
        s${I}_${COLUMN},
      );
//#end
