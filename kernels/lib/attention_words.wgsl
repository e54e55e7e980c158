    // COUNT rows of a head from position BEGIN of the sequence on into `words`, from AT on; past its end the last one again.
    for (var i = lane; i < ${COUNT * HEAD_SIZE / 8}u; i += ${THREADS}u) {
      let token = sequence.first + min(${BEGIN} + i / ${HEAD_SIZE / 8}u, sequence.length - 1u);
      words[${AT}u + i / ${HEAD_SIZE / 8}u * ${HEAD_WORDS}u + i % ${HEAD_SIZE / 8}u] =
        load_${FROM}(head_at(token, head), i % ${HEAD_SIZE / 8}u);
    }
