// The only place that sees mpi.h. Swift does not import macros with casts, so handles and constants become functions.
#pragma once
#include <errno.h>
#include <mpi.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static inline MPI_Comm cmpi_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Errhandler cmpi_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline const void *cmpi_in_place(void) { return MPI_IN_PLACE; }
static inline MPI_Status *cmpi_status_ignore(void) { return MPI_STATUS_IGNORE; }

// Handles are pointers in Open MPI and numbers in MPICH, and Swift passes pointers to the two differently: calls that make
// one return it.
typedef struct {
    int code;
    MPI_Comm comm;
} cmpi_new_comm;

static inline cmpi_new_comm cmpi_comm_dup(MPI_Comm comm) {
    cmpi_new_comm made = {MPI_SUCCESS, MPI_COMM_NULL};
    made.code = MPI_Comm_dup(comm, &made.comm);
    return made;
}
static inline cmpi_new_comm cmpi_comm_split(MPI_Comm comm, int color, int key) {
    cmpi_new_comm made = {MPI_SUCCESS, MPI_COMM_NULL};
    made.code = MPI_Comm_split(comm, color, key, &made.comm);
    return made;
}
static inline int cmpi_comm_free(MPI_Comm comm) { return MPI_Comm_free(&comm); }

typedef struct {
    int code;
    MPI_Request request;
} cmpi_started;

// Element-wise sum in place, on its way when the call returns.
static inline cmpi_started cmpi_start_sum(void *values, int count, MPI_Comm comm) {
    cmpi_started started = {MPI_SUCCESS, MPI_REQUEST_NULL};
    started.code = MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, comm, &started.request);
    return started;
}
// Each rank sends each other one part of so many bytes.
static inline cmpi_started cmpi_start_exchange(const void *sent, void *received, int part_bytes, MPI_Comm comm) {
    cmpi_started started = {MPI_SUCCESS, MPI_REQUEST_NULL};
    started.code = MPI_Ialltoall(sent, part_bytes, MPI_BYTE, received, part_bytes, MPI_BYTE, comm, &started.request);
    return started;
}
static inline cmpi_started cmpi_start_gather(const void *part, void *all, int part_bytes, MPI_Comm comm) {
    cmpi_started started = {MPI_SUCCESS, MPI_REQUEST_NULL};
    started.code = MPI_Iallgather(part, part_bytes, MPI_BYTE, all, part_bytes, MPI_BYTE, comm, &started.request);
    return started;
}
// A call is on its way while its ranks call MPI. Both set the request to null once it is complete.
static inline int cmpi_advance(cmpi_started *started, int *is_done) {
    return MPI_Test(&started->request, is_done, MPI_STATUS_IGNORE);
}
static inline int cmpi_finish(cmpi_started *started) { return MPI_Wait(&started->request, MPI_STATUS_IGNORE); }

// Two messages that travel at once: one to a rank, one from another.
typedef struct {
    MPI_Request requests[2];
} cmpi_pair;

static inline int cmpi_start_pair(cmpi_pair *pair, const float *sent, int sent_count, int to, float *received,
                                  int received_count, int from, int tag, MPI_Comm comm) {
    pair->requests[0] = pair->requests[1] = MPI_REQUEST_NULL;
    int code = MPI_Irecv(received, received_count, MPI_FLOAT, from, tag, comm, &pair->requests[0]);
    return code != MPI_SUCCESS ? code : MPI_Isend(sent, sent_count, MPI_FLOAT, to, tag, comm, &pair->requests[1]);
}
static inline int cmpi_advance_pair(cmpi_pair *pair, int *is_done) {
    MPI_Status statuses[2];
    int code = MPI_Testall(2, pair->requests, is_done, statuses);
    if (code != MPI_ERR_IN_STATUS) return code;
    return statuses[0].MPI_ERROR != MPI_SUCCESS ? statuses[0].MPI_ERROR : statuses[1].MPI_ERROR;
}
// Returns when one more message of any pair is complete, or none was under way.
static inline int cmpi_wait_for_any(cmpi_pair *pairs, int count) {
    int index;
    return MPI_Waitany(2 * count, pairs->requests, &index, MPI_STATUS_IGNORE);
}
static inline int cmpi_add(const float *from, float *into, int count) {
    return MPI_Reduce_local(from, into, count, MPI_FLOAT, MPI_SUM);
}

static inline MPI_Datatype cmpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype cmpi_int(void) { return MPI_INT; }
static inline MPI_Datatype cmpi_int64(void) { return MPI_INT64_T; }
static inline MPI_Datatype cmpi_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype cmpi_double(void) { return MPI_DOUBLE; }

static inline MPI_Op cmpi_sum(void) { return MPI_SUM; }
static inline MPI_Op cmpi_min(void) { return MPI_MIN; }
static inline MPI_Op cmpi_max(void) { return MPI_MAX; }

enum {
    cmpi_success = MPI_SUCCESS,
    cmpi_thread_multiple = MPI_THREAD_MULTIPLE,
    cmpi_undefined = MPI_UNDEFINED,
    cmpi_max_error_string = MPI_MAX_ERROR_STRING,
    cmpi_max_processor_name = MPI_MAX_PROCESSOR_NAME,
    cmpi_max_library_version_string = MPI_MAX_LIBRARY_VERSION_STRING
};

// Whether ranks of one host may read each other's memory: asked of the process that started this one.
static inline int cmpi_may_read_other_processes(void) {
    char byte;
    const struct iovec local = {&byte, 1}, remote = {0, 1};
    // Nothing lies at address 0: a permitted call finds that out, a forbidden one is not let through so far.
    return syscall(SYS_process_vm_readv, (long)getppid(), &local, 1L, &remote, 1L, 0L) < 0 && errno == EFAULT;
}
