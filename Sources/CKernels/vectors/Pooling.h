// Maximum pooling for one TYPE of ELEMENTs.

KERNEL(pool)(const void *const pixels[], const uint8_t *taps, intptr_t count, intptr_t channels, void *output,
             uint8_t *winners) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector best = broadcast(-INFINITY);
        word_vector winner = {};
        for (intptr_t i = 0; i < count; i++) {
            const float_vector value = LOAD(pixels[i], channel);
            const word_vector better = best < value;
            best = choose(better, value, best);
            winner = (taps[i] & better) | (winner & ~better);
        }
        STORE(output, channel, best);
        store_bytes(winners + channel, winner);
    }
}

KERNEL(pool_gradient)(const intptr_t windows[], const uint8_t *taps, intptr_t count, intptr_t channels,
                      const void *gradient, const uint8_t *winners, void *output) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector sum = broadcast(0);
        for (intptr_t i = 0; i < count; i++) {
            const intptr_t place = windows[i] * channels + channel;
            const word_vector won = load_bytes(winners + place) == taps[i];
            sum = choose(won, sum + LOAD(gradient, place), sum);
        }
        STORE(output, channel, sum);
    }
}
