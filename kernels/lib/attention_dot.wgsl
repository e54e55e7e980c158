    // Products of four rows of a head in registers, ROW0_0 …, with a column of it, COLUMN0 …
    //#for B in 0..HEAD_SIZE / 4
    //#for R in 0..4
    //#if B == 0
    var ${NAME}${R} = ${ROW}${R}_0 * ${COLUMN}0;
    //#else
    ${NAME}${R} = fma(${ROW}${R}_${B}, ${COLUMN}${B}, ${NAME}${R});
    //#end
    //#end
    //#end
    let ${NAME} = vec4(total(${NAME}0), total(${NAME}1), total(${NAME}2), total(${NAME}3));
