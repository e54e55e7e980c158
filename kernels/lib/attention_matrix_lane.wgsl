    // Where an invocation works: its subgroup owns EACH rows, and itself eight of them in every LANES-th column.
    begin_matrices(lane);
    let head = first_head + tile.y;
    let first_row = tile.x * ${ROWS}u;
    let subgroup = lane / ${SUBGROUP}u;
    let strip = ${STRIPS_AT}u + subgroup * ${STRIP}u;
