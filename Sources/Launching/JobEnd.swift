import Glibc
import MessagePassing

/// How a job ended, and how far it had come.
package struct JobEnd: Sendable, Equatable {
    /// mpirun's exit status, or the program's own where mpirun lost a host; 128 and the number for a signal.
    package var status: Int32
    /// Whether the program began a run: its ranks had found each other, the pictures and the checkpoint.
    package var began: Bool
    /// The last step that it trained; nil for none.
    package var lastStep: Int?
    /// The newest checkpoint that was seen while it ran; 0 for none.
    package var newestStep: Int
    package var seconds: Double
    /// Whether it stopped in order to start anew.
    package var isRenewal: Bool
    /// Whether it cannot be seen how far it came.
    package var isOutOfSight = false
    /// Of a job that had trained: from when on nothing more came of it.
    package var fault: Recovery.Fault?

    package init(
        status: Int32, began: Bool, lastStep: Int? = nil, newestStep: Int = 0, seconds: Double = 0,
        isRenewal: Bool = false
    ) {
        (self.status, self.began, self.lastStep) = (status, began, lastStep)
        (self.newestStep, self.seconds, self.isRenewal) = (newestStep, seconds, isRenewal)
    }

    /// Whether the program itself took part: a job that could not be started is not one that ran.
    package var ran: Bool { began || [errorExitStatus, hungExitStatus].contains(status) }

    /// What the status means.
    package var meaning: String {
        switch status {
        case 0: return "the schedule is done"
        case stoppedExitStatus: return "stopped by a signal and saved"
        case errorExitStatus: return "an error, said above"
        case hungExitStatus: return "a rank was missing or nothing moved, said above"
        case 128 + SIGKILL:
            return "killed (signal 9): if nobody did it, the kernel did for lack of memory (its log tells); then lower "
                + "batch.microBatch, data.imageSize or data.workers, or start fewer ranks on each host"
        // Those above are no signal's: Open MPI has statuses of its own for hosts that it lost.
        case 129...(128 + 64): return "signal \(status - 128)"
        default: return began ? "said above" : "mpirun did not bring the ranks up; said above"
        }
    }
}
