// `decoder-checks FILE…` decodes each picture, and encodes one, again and again, while the first, then the second and so
// on of all allocations fails: each time there must be a picture, or an error with words, and nothing lost. Prints a
// line for each, and ends with status 1 at the first that is wrong.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Allocations.h"
#include "CJPEG.h"
#include "CPNG.h"

enum { width = 96, height = 80, message_size = 256 };

typedef struct {
    const char *name;
    uint8_t *bytes;
    size_t size;
    // Room for the picture.
    uint8_t *pixels;
} picture;

static int decode_jpeg(picture *file, char *message) {
    cjpeg_header header;
    cjpeg_reader *reader = cjpeg_open(file->bytes, file->size, &header, message);
    if (!reader) return 1;
    cjpeg_rectangle part = {0, 0, header.width / 2, header.height / 2};
    int status = cjpeg_start(reader, 8, &part, message) || cjpeg_read(reader, file->pixels, message);
    cjpeg_close(reader);
    return status;
}

static int decode_png(picture *file, char *message) {
    cpng_header header;
    return cpng_read_header(file->bytes, file->size, &header, message)
        || cpng_decode(file->bytes, file->size, cpng_rgb, file->pixels, message);
}

static int encode_jpeg(picture *file, char *message) {
    uint8_t *encoded;
    size_t size;
    if (cjpeg_encode(file->pixels, width, height, 3, 95, &encoded, &size, message)) return 1;
    free(encoded);
    return 0;
}

static int encode_png(picture *file, char *message) {
    uint8_t *encoded;
    size_t size;
    if (cpng_encode(file->pixels, width, height, 3, &encoded, &size, message)) return 1;
    free(encoded);
    return 0;
}

static void check(picture *file, int (*work)(picture *, char *)) {
    long failures = 0;
    for (long successes = 0;; successes++) {
        char message[message_size] = "";
        long lost;
        allocations_begin(successes);
        int status = work(file, message);
        int has_failed = allocations_end(&lost);
        if (lost != 0 || (status != 0 && !message[0]) || (status != 0 && !has_failed)) {
            printf("%s: with %ld allocations: status %d, '%s', %ld blocks lost\n", file->name, successes, status, message,
                   lost);
            exit(1);
        }
        failures += status != 0;
        if (!has_failed) break;
    }
    printf("%s: %ld failures\n", file->name, failures);
}

static int read_file(picture *file) {
    FILE *stream = fopen(file->name, "rb");
    if (!stream) return 1;
    enum { limit = 1 << 20 };
    file->bytes = malloc(limit);
    file->size = file->bytes ? fread(file->bytes, 1, limit, stream) : 0;
    return fclose(stream) != 0 || file->size == 0 || file->size == limit;
}

int main(int count, char **names) {
    enum { room = 4 << 20 };
    uint8_t *pixels = malloc(room);
    if (!pixels) return 1;
    for (int number = 1; number < count; number++) {
        picture file = {.name = names[number], .pixels = pixels};
        if (read_file(&file)) {
            fprintf(stderr, "cannot read %s\n", file.name);
            return 1;
        }
        check(&file, file.bytes[0] == 0xFF ? decode_jpeg : decode_png);
    }
    // Noise, so that the encoders' targets grow several times.
    uint32_t noise = 1;
    for (size_t index = 0; index < room; index++) pixels[index] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
    check(&(picture){.name = "JPEG encoder", .pixels = pixels}, encode_jpeg);
    check(&(picture){.name = "PNG encoder", .pixels = pixels}, encode_png);
    return 0;
}
