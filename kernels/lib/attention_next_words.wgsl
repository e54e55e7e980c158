    // What the invocation brings of the COLUMNS rows of a head from position BEGIN on, in registers.
//#for L in 0..TILE_BLOCKS
    {
      let place = lane + ${L * THREADS}u;
      let token = sequence.first + min(${BEGIN} + place / ${HEAD_SIZE / 8}u, sequence.length - 1u);
      ${FROM}_next${L} = load_${FROM}(head_at(token, head), place % ${HEAD_SIZE / 8}u);
    }
//#end
