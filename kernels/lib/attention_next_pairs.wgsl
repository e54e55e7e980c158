    // What the invocation brings of the pairs of the workgroup's keys with the COLUMNS queries from position BEGIN on.
//#for L in 0..KEPT_BLOCKS
    d_scores_next${L} = vec4<u32>();
    weights_next${L} = vec4<u32>();
    {
      let place = lane + ${L * THREADS}u;
      let query = ${BEGIN} + place % ${COLUMNS / 8}u * 8u;
      // Nothing was written past the end.
      if (query < sequence.length) {
        let token = sequence.first + min(first_row + place / ${COLUMNS / 8}u, sequence.length - 1u);
        d_scores_next${L} = load_d_scores(pair_row(token, tile.y), query / 8u);
        weights_next${L} = load_weights(pair_row(token, tile.y), query / 8u);
      }
    }
//#end
