/// The exit status of a job that an error ended.
package let errorExitStatus: Int32 = 78

/// The exit status of a job that a signal asked to stop: it has saved its state, and goes on when it is started again.
package let stoppedExitStatus: Int32 = 75

/// The exit status of a job that the watchdog ended because a rank was missing or nothing moved on.
package let hungExitStatus: Int32 = 79
