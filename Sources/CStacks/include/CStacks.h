// What every thread of this process is doing: signals interrupt each thread, which Swift cannot handle safely.
#pragma once

/// Prepares for `cstacks_write`; called once, before there is anything to report.
void cstacks_prepare(void);

/// Writes the stack of every thread, innermost call first, as text to a file descriptor. Returns 0, or the system's code of
/// the first failure.
///
/// A thread that does not answer within `milliseconds` (it waits inside the kernel) is named with its state.
int cstacks_write(int descriptor, int milliseconds);
