import Files
import Glibc
import SystemPackage
import Testing

@Suite struct TransientErrorsTests {
    private func error(_ code: Int32) -> FileError { FileError(path: "/x", doing: "read the file", code: code) }

    @Test(arguments: [EIO, ESTALE]) func aMomentIsWaitedFor(_ code: Int32) throws {
        var calls: [Bool] = []
        let value = try TransientErrors.retry { isFirst in
            calls.append(isFirst)
            if calls.count < 3 { throw error(code) }
            return 7
        }
        #expect(value == 7 && calls == [true, false, false])
    }

    @Test func whatStaysIsThrown() {
        var calls = 0
        #expect(throws: FileError.self) {
            try TransientErrors.retry { _ in
                calls += 1
                throw error(EIO)
            }
        }
        #expect(calls == 6)
        #expect(throws: FileError.self) {
            try TransientErrors.retry { _ in
                calls += 1
                throw error(ENOENT)
            }
        }
        #expect(calls == 7, "what is no such error is not tried again")
    }
}
