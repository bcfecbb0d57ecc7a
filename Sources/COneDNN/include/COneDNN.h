// The only place that sees oneDNN: convolutions over NHWC maps with OHWI float32 weights, one primitive for each shape.
//
// A function returns 0 or a dnnl_status_t; conednn_status_text says what it means.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum conednn_direction { conednn_forward, conednn_backward_data, conednn_backward_weights };

struct conednn_shape {
    int32_t batch, height, width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel, stride, padding, dilation;
    int32_t bfloat16;  // maps and packed weights are bfloat16 (else float32); weight gradients are float32 in both
    int32_t direction;
    int32_t transposed;   // forward, 1x1: the weights lie input-major, as for the gradient of the opposite convolution
    int32_t accumulates;  // forward: the result is added to the output
};

// A compiled convolution of one shape and direction, which runs on the calling thread alone. It holds no data: several
// threads may run it at once.
typedef struct conednn_convolution conednn_convolution;

int conednn_create(const struct conednn_shape *shape, conednn_convolution **convolution);
void conednn_destroy(conednn_convolution *convolution);

// Bytes of the weights (or the weights' gradient) in the layout that the primitive wants, and of its scratch memory.
size_t conednn_weight_bytes(const conednn_convolution *convolution);
size_t conednn_scratch_bytes(const conednn_convolution *convolution);
// Names the layout and type of packed weights: equal for primitives that can share them.
uint64_t conednn_weight_layout(const conednn_convolution *convolution);

// OHWI float32 -> packed; for forward and backward_data.
int conednn_pack(const conednn_convolution *convolution, const float *weights, void *packed);
// OHWI float32 <- (accumulate ? itself : 0) + packed; for backward_weights.
int conednn_unpack(const conednn_convolution *convolution, const void *packed, float *gradient, int accumulate);

// input and output are maps or their gradients; weights are packed, or what backward_weights writes.
int conednn_run(
    const conednn_convolution *convolution, void *input, void *weights, void *output, void *scratch);

const char *conednn_status_text(int status);
// For example 2.6.3; valid until the thread asks again.
const char *conednn_version(void);
