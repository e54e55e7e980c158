    // Part of attention_uniform.wgsl: moves on to the buckets of `column` and adds the position terms to the scores.
    // The distance of a row to this column is that of the row before to the column before. Buckets of a row come in
    // order, and far from the diagonal they rarely change: only then something is read or, in the backward, written.
    //#if C2P || P2C
    let next0 = bucket_of(row, column);
    //#for R in 1..4
    let next${R} = bucket${R - 1};
    //#end
    //#end
    //#for R in 0..4
    //#if C2P
    if (next${R} != bucket${R}) {
      //#if BACKWARD
      if (owned${R}) {
        d_position[c2p_row${R} + bucket${R}] = bucket_sum${R};
      }
      bucket_sum${R} = 0.0;
      //#end
      c2p${R} = c2p[c2p_row${R} + next${R}];
    }
    score${R} += c2p${R};
    //#end
    //#if P2C
    //#if R == 0
    let p2c0 = p2c[(first + column) * BUCKETS + next0];
    //#else
    var p2c${R} = p2c${R - 1};
    if (next${R} != next${R - 1}) {
      p2c${R} = p2c[(first + column) * BUCKETS + next${R}];
    }
    //#end
    score${R} += p2c${R};
    //#end
    //#if C2P || P2C
    bucket${R} = next${R};
    //#end
    //#end
