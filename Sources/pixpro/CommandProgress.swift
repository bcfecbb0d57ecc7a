import Training

/// Tells on standard error how far a command is: a living line on a terminal, every tenth of it elsewhere.
func commandProgress(_ action: String) -> (_ done: Int, _ total: Int) -> Void {
    let console = Console.standardError
    return { done, total in
        if console.isTerminal {
            console.redraw("\(action) \(done)/\(total)")
            if done == total { console.clear() }
        } else if done * 10 / total != (done - 1) * 10 / total {
            console.print("\(action) \(done)/\(total)")
        }
    }
}
