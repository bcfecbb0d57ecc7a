import Glibc

/// A thread that the system did not give.
package struct ThreadError: Error, CustomStringConvertible {
    package let description: String

    init(name: String, code: Int32) {
        description =
            "cannot start the thread '\(name)': \(String(cString: strerror(code))); this process may have no more threads "
            + "or memory: see `ulimit -u`, `ulimit -v` and the limits of its container, or set parallel.threads and "
            + "data.workers lower"
    }
}

/// A thread of the system, with a name by which `top -H` and reports of stacks show it.
package struct SystemThread: @unchecked Sendable {
    // @unchecked: a handle, which every thread may use, and what the thread has of its own.
    private let handle: pthread_t
    private let start: Start

    /// Starts `body`, which alone uses what it captures until it has ended. Of `name` 15 bytes are shown.
    package init(
        _ name: String, under schedule: (any ThreadSchedule)? = SystemThread.schedule, _ body: @escaping () -> Void
    ) throws(ThreadError) {
        start = Start(name: name, schedule: schedule, body: body)
        let retained = Unmanaged.passRetained(start)
        var handle = pthread_t()
        let code = pthread_create(
            &handle, nil,
            { argument in
                Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            retained.release()
            start.giveUp()
            throw ThreadError(name: name, code: code)
        }
        self.handle = handle
    }

    /// Returns when the thread has ended. Once, and not after `detach`.
    package func join() {
        start.waitForEnd()
        let code = pthread_join(handle, nil)
        precondition(code == 0, "pthread_join: \(String(cString: strerror(code)))")
    }

    /// Lets the thread end by itself: nobody waits for it.
    package func detach() {
        let code = pthread_detach(handle)
        precondition(code == 0, "pthread_detach: \(String(cString: strerror(code)))")
    }

    /// Has the calling thread run before ordinary ones as far as the system allows it: in real time, or else by its niceness.
    /// What it starts is ordinary again where it runs in real time.
    package static func preferThisThread() {
        // SCHED_RESET_ON_FORK, a macro that Swift does not see.
        let resetsOnFork: Int32 = 0x4000_0000
        var parameter = sched_param(sched_priority: 1)
        if sched_setscheduler(0, SCHED_RR | resetsOnFork, &parameter) == 0 { return }
        // Refused to ordinary users, most often; then it is one thread among many.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10)
    }

    /// What schedules the calling thread; nil for the system.
    package static var schedule: (any ThreadSchedule)? {
        guard let start = pthread_getspecific(Start.ofThisThread) else { return nil }
        return Unmanaged<Start>.fromOpaque(start).takeUnretainedValue().scheduled?.by
    }
}

/// What a thread has of its own, and what stands for it in its schedule, if it has one.
private final class Start {
    let scheduled: (by: any ThreadSchedule, as: AnyObject)?
    private let name: String
    private var body: (() -> Void)?
    /// Known only of threads that have a schedule.
    private var hasEnded = false

    /// Where a thread that has a schedule keeps its start.
    static let ofThisThread: pthread_key_t = {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, nil)
        precondition(code == 0, "pthread_key_create: \(String(cString: strerror(code)))")
        return key
    }()

    init(name: String, schedule: (any ThreadSchedule)?, body: @escaping () -> Void) {
        self.name = name
        scheduled = schedule.map { ($0, $0.add(name: name)) }
        self.body = body
    }

    func run() {
        showName()
        guard let scheduled else { return runBody() }
        let code = pthread_setspecific(Self.ofThisThread, Unmanaged.passUnretained(self).toOpaque())
        precondition(code == 0, "pthread_setspecific: \(String(cString: strerror(code)))")
        scheduled.by.begin(scheduled.as)
        runBody()
        hasEnded = true
        scheduled.by.end(scheduled.as)
    }

    /// The system gave no thread.
    func giveUp() { if let scheduled { scheduled.by.end(scheduled.as) } }

    /// Lets the other threads of the schedule run until this one has.
    func waitForEnd() {
        guard let scheduled, SystemThread.schedule != nil else { return }
        while !hasEnded { scheduled.by.wait(for: scheduled.as) }
    }

    /// What the body captured is given up on this thread, while it may still run.
    private func runBody() {
        body!()
        body = nil
    }

    /// Where the system does not take it, the thread has the program's name, and nothing else comes of it.
    private func showName() {
        guard let file = fopen("/proc/thread-self/comm", "w") else { return }
        fputs(name, file)
        fclose(file)
    }
}
