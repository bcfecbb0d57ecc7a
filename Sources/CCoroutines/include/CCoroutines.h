// Functions with a stack of their own, which a thread leaves in their middle and comes back to: ucontext, whose functions Swift
// cannot call.
#pragma once
#include <stddef.h>

typedef struct ccoroutine ccoroutine;

/// A coroutine that has not begun; NULL, with errno, where there is no memory for its stack.
///
/// `body` may not be left by anything but its end.
ccoroutine *ccoroutine_make(size_t stack_bytes, void (*body)(void *argument), void *argument);

/// Runs it until it yields or ends, on the thread that made it. Returns 0 once it has ended.
int ccoroutine_resume(ccoroutine *coroutine);

/// Called within it: goes back to whoever resumed it.
void ccoroutine_yield(ccoroutine *coroutine);

/// Gives the stack of one that has ended up.
void ccoroutine_free(ccoroutine *coroutine);
