    // 32 rows of a head from position BEGIN of the sequence on into workgroup memory; past its end the last one again.
    for (var i = lane; i < TILE * QUADS; i += 64u) {
      let token = sequence.first + min(${BEGIN} + i / QUADS, sequence.length - 1u);
      ${INTO}[i / QUADS * ROW + i % QUADS] = load_${FROM}(head_at(token, head), i % QUADS);
    }
