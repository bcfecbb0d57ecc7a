#define _GNU_SOURCE
#include "COneDNN.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR != 2
#error "this shim speaks oneDNN 2.x; build with PIXPRO_ONEDNN=0"
#endif

struct conednn_convolution {
    int direction;
    dnnl_engine_t engine;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t input, packed, plain, output, scratch;
    // packed <- plain, or plain <- packed and plain <- plain + packed.
    dnnl_primitive_t reorder, accumulating_reorder;
};

#define TRY(call)                            \
    do {                                     \
        dnnl_status_t status_ = (call);      \
        if (status_ != dnnl_success) return status_; \
    } while (0)

// One engine for the process; it is never freed.
static dnnl_status_t shared_engine(dnnl_engine_t *engine) {
    static dnnl_engine_t shared;
    dnnl_engine_t made = __atomic_load_n(&shared, __ATOMIC_ACQUIRE), expected = NULL;
    if (!made) {
        TRY(dnnl_engine_create(&made, dnnl_cpu, 0));
        if (!__atomic_compare_exchange_n(&shared, &expected, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            dnnl_engine_destroy(made);
            made = expected;
        }
    }
    *engine = made;
    return dnnl_success;
}

// Keeps oneDNN to the calling thread: the caller splits work over threads of its own.
static void use_one_thread(void) {
    static _Thread_local int done;
    if (done) return;
    // Debian's build runs on OpenMP, whose number of threads belongs to the calling thread; others lack this function.
    void (*set_threads)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (set_threads) set_threads(1);
    done = 1;
}

// One stream for each thread; it is never freed.
static dnnl_status_t thread_stream(dnnl_engine_t engine, dnnl_stream_t *stream) {
    static _Thread_local dnnl_stream_t mine;
    use_one_thread();
    if (!mine) TRY(dnnl_stream_create(&mine, engine, dnnl_stream_default_flags));
    *stream = mine;
    return dnnl_success;
}

// Describes OHWI float32 weights to oneDNN, whose dimensions are output, input, row, column.
static dnnl_status_t plain_weights(const struct conednn_shape *s, dnnl_memory_desc_t *desc) {
    dnnl_dim_t k = s->kernel, i = s->input_channels, o = s->output_channels;
    dnnl_dims_t dims = {o, i, k, k}, strides = {k * k * i, 1, k * i, i};
    if (s->transposed) strides[0] = 1, strides[1] = o;
    return dnnl_memory_desc_init_by_strides(desc, 4, dims, dnnl_f32, strides);
}

static dnnl_status_t add_to_output(dnnl_primitive_attr_t attributes) {
    dnnl_post_ops_t operations;
    TRY(dnnl_post_ops_create(&operations));
    dnnl_status_t status = dnnl_post_ops_append_sum(operations, 1);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, operations);
    dnnl_post_ops_destroy(operations);
    return status;
}

static dnnl_status_t describe(const struct conednn_shape *s, conednn_convolution *c, dnnl_primitive_desc_t *made) {
    dnnl_data_type_t type = s->bfloat16 ? dnnl_bf16 : dnnl_f32;
    dnnl_dims_t input = {s->batch, s->input_channels, s->height, s->width};
    dnnl_dims_t output = {s->batch, s->output_channels, s->output_height, s->output_width};
    dnnl_dims_t strides = {s->stride, s->stride}, dilates = {s->dilation - 1, s->dilation - 1};
    dnnl_dims_t before = {s->padding, s->padding}, after;
    int reach = s->dilation * (s->kernel - 1) + 1;
    after[0] = (s->output_height - 1) * s->stride + reach - s->height - s->padding;
    after[1] = (s->output_width - 1) * s->stride + reach - s->width - s->padding;
    TRY(dnnl_memory_desc_init_by_tag(&c->input, 4, input, type, dnnl_nhwc));
    TRY(dnnl_memory_desc_init_by_tag(&c->output, 4, output, type, dnnl_nhwc));
    TRY(plain_weights(s, &c->plain));
    dnnl_memory_desc_t weights;
    TRY(dnnl_memory_desc_init_by_tag(&weights, c->plain.ndims, c->plain.dims, type, dnnl_format_tag_any));

    dnnl_convolution_desc_t desc, forward;
    TRY(dnnl_dilated_convolution_forward_desc_init(
        &forward, dnnl_forward_training, dnnl_convolution_direct, &c->input, &weights, NULL, &c->output, strides,
        dilates, before, after));
    if (s->direction == conednn_backward_data) {
        TRY(dnnl_dilated_convolution_backward_data_desc_init(
            &desc, dnnl_convolution_direct, &c->input, &weights, &c->output, strides, dilates, before, after));
    } else if (s->direction == conednn_backward_weights) {
        TRY(dnnl_memory_desc_init_by_tag(&weights, c->plain.ndims, c->plain.dims, dnnl_f32, dnnl_format_tag_any));
        TRY(dnnl_dilated_convolution_backward_weights_desc_init(
            &desc, dnnl_convolution_direct, &c->input, &weights, NULL, &c->output, strides, dilates, before, after));
    } else {
        desc = forward;
    }
    dnnl_primitive_attr_t attributes;
    TRY(dnnl_primitive_attr_create(&attributes));
    dnnl_status_t status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && s->accumulates) status = add_to_output(attributes);
    dnnl_primitive_desc_t hint = NULL;
    // A backward pass is told of the forward pass that it belongs to, whose weights are of the maps' type.
    if (status == dnnl_success && s->direction != conednn_forward)
        status = dnnl_primitive_desc_create(&hint, &forward, attributes, c->engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_desc_create(made, &desc, attributes, c->engine, hint);
    if (hint) dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static dnnl_status_t make_reorder(
    conednn_convolution *c, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to, int accumulate,
    dnnl_primitive_t *reorder) {
    dnnl_primitive_attr_t attributes;
    dnnl_primitive_desc_t desc = NULL;
    TRY(dnnl_primitive_attr_create(&attributes));
    dnnl_status_t status = accumulate ? add_to_output(attributes) : dnnl_success;
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&desc, from, c->engine, to, c->engine, attributes);
    if (status == dnnl_success) status = dnnl_primitive_create(reorder, desc);
    if (desc) dnnl_primitive_desc_destroy(desc);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static dnnl_status_t query(dnnl_primitive_desc_t desc, dnnl_query_t what, dnnl_memory_desc_t *found) {
    const dnnl_memory_desc_t *answer = dnnl_primitive_desc_query_md(desc, what, 0);
    if (!answer) return dnnl_runtime_error;
    *found = *answer;
    return dnnl_success;
}

static dnnl_status_t create(const struct conednn_shape *shape, conednn_convolution *c) {
    c->direction = shape->direction;
    use_one_thread();
    TRY(shared_engine(&c->engine));
    dnnl_primitive_desc_t desc;
    TRY(describe(shape, c, &desc));
    dnnl_query_t weights =
        shape->direction == conednn_backward_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    dnnl_status_t status = query(desc, weights, &c->packed);
    if (status == dnnl_success) status = query(desc, dnnl_query_scratchpad_md, &c->scratch);
    if (status == dnnl_success) status = dnnl_primitive_create(&c->primitive, desc);
    dnnl_primitive_desc_destroy(desc);
    TRY(status);
    if (shape->direction != conednn_backward_weights)
        return make_reorder(c, &c->plain, &c->packed, 0, &c->reorder);
    TRY(make_reorder(c, &c->packed, &c->plain, 0, &c->reorder));
    return make_reorder(c, &c->packed, &c->plain, 1, &c->accumulating_reorder);
}

int conednn_create(const struct conednn_shape *shape, conednn_convolution **convolution) {
    *convolution = calloc(1, sizeof **convolution);
    if (!*convolution) return dnnl_out_of_memory;
    dnnl_status_t status = create(shape, *convolution);
    if (status != dnnl_success) {
        conednn_destroy(*convolution);
        *convolution = NULL;
    }
    return status;
}

void conednn_destroy(conednn_convolution *c) {
    if (!c) return;
    if (c->primitive) dnnl_primitive_destroy(c->primitive);
    if (c->reorder) dnnl_primitive_destroy(c->reorder);
    if (c->accumulating_reorder) dnnl_primitive_destroy(c->accumulating_reorder);
    free(c);
}

size_t conednn_weight_bytes(const conednn_convolution *c) { return dnnl_memory_desc_get_size(&c->packed); }
size_t conednn_scratch_bytes(const conednn_convolution *c) { return dnnl_memory_desc_get_size(&c->scratch); }

uint64_t conednn_weight_layout(const conednn_convolution *c) {
    uint64_t hash = 14695981039346656037u;
    const unsigned char *bytes = (const unsigned char *)&c->packed;
    for (size_t i = 0; i < sizeof c->packed; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

// Runs `primitive` on `count` buffers.
static dnnl_status_t execute(
    dnnl_engine_t engine, dnnl_primitive_t primitive, int count, const int *arguments,
    const dnnl_memory_desc_t *const *descs, void *const *buffers) {
    dnnl_exec_arg_t passed[4];
    dnnl_stream_t stream;
    dnnl_status_t status = thread_stream(engine, &stream);
    int made = 0;
    for (; made < count && status == dnnl_success; made++) {
        passed[made].arg = arguments[made];
        passed[made].memory = NULL;
        status = dnnl_memory_create(&passed[made].memory, descs[made], engine, buffers[made]);
    }
    if (status == dnnl_success) status = dnnl_primitive_execute(primitive, stream, count, passed);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    for (int i = 0; i < made; i++)
        if (passed[i].memory) dnnl_memory_destroy(passed[i].memory);
    return status;
}

static dnnl_status_t reorder(
    const conednn_convolution *c, dnnl_primitive_t primitive, const dnnl_memory_desc_t *from, const void *source,
    const dnnl_memory_desc_t *to, void *target) {
    const int arguments[] = {DNNL_ARG_FROM, DNNL_ARG_TO};
    const dnnl_memory_desc_t *descs[] = {from, to};
    void *buffers[] = {(void *)source, target};
    return execute(c->engine, primitive, 2, arguments, descs, buffers);
}

int conednn_pack(const conednn_convolution *c, const float *weights, void *packed) {
    return reorder(c, c->reorder, &c->plain, weights, &c->packed, packed);
}

int conednn_unpack(const conednn_convolution *c, const void *packed, float *gradient, int accumulate) {
    return reorder(
        c, accumulate ? c->accumulating_reorder : c->reorder, &c->packed, packed, &c->plain, gradient);
}

int conednn_run(const conednn_convolution *c, void *input, void *weights, void *output, void *scratch) {
    static const int arguments[3][4] = {
        {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD},
        {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, DNNL_ARG_SCRATCHPAD},
        {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST, DNNL_ARG_SCRATCHPAD},
    };
    const dnnl_memory_desc_t *descs[] = {&c->input, &c->packed, &c->output, &c->scratch};
    void *buffers[] = {input, weights, output, scratch};
    return execute(
        c->engine, c->primitive, conednn_scratch_bytes(c) ? 4 : 3, arguments[c->direction], descs, buffers);
}

const char *conednn_status_text(int status) {
    switch (status) {
    case dnnl_success: return "success";
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "not implemented for this shape, type or processor";
    case dnnl_runtime_error: return "runtime error";
    default: return "unknown status";
    }
}

const char *conednn_version(void) {
    static _Thread_local char text[32];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", version->major, version->minor, version->patch);
    return text;
}
