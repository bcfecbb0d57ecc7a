import Foundation

/// A Chromium beside, which the program itself never needs: what people see of its pages.
package struct Browser: Sendable {
    private let program: String

    /// The one that PATH finds, if any.
    package init?() {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
        let candidates = path.split(separator: ":").flatMap { folder in names.map { "\(folder)/\($0)" } }
        guard let program = candidates.first(where: FileManager.default.isExecutableFile(atPath:)) else { return nil }
        self.program = program
    }

    /// What a page answers once it is loaded in a window of that width, in pixels.
    ///
    /// - Parameters:
    ///   - isDark: whether the user likes dark pages.
    ///   - question: an expression of JavaScript whose value JSON can hold; `problems` are what the page did wrong
    ///     before: errors that it threw, and what it wanted from elsewhere.
    package func ask<Answer: Decodable>(
        _ page: String, width: Int, isDark: Bool = false, _ question: String
    ) throws -> Answer {
        try withTemporaryDirectory { directory in
            let asked = page.replacingOccurrences(of: "<head>", with: "<head>" + Self.witness)
                .replacingOccurrences(of: "</body>", with: Self.answer(question) + "</body>")
            try asked.write(toFile: directory + "/page.html", atomically: false, encoding: .utf8)
            // A window cannot be as narrow as a phone; a frame can.
            try """
            <!doctype html><html><body>
            <script>
            addEventListener("message", event => {
              document.body.dataset.answer = encodeURIComponent(event.data);
            });
            </script>
            <iframe src="page.html" width="\(width)" height="900"></iframe></body></html>
            """.write(toFile: directory + "/frame.html", atomically: false, encoding: .utf8)
            let result = try runProcess(
                program,
                [
                    "--headless", "--no-sandbox", "--disable-gpu", "--window-size=\(max(width, 500) + 40),1000",
                    "--user-data-dir=\(directory)/profile", "--blink-settings=preferredColorScheme=\(isDark ? 0 : 1)",
                    "--virtual-time-budget=5000", "--dump-dom", "file://\(directory)/frame.html",
                ], timeLimit: 120)
            let parts = result.output.components(separatedBy: "data-answer=\"")
            guard parts.count > 1, let answer = String(parts[1].prefix { $0 != "\"" }).removingPercentEncoding else {
                throw BrowserFailure(description: "the page gave no answer: \(result)")
            }
            return try JSONDecoder().decode(Answer.self, from: Data(answer.utf8))
        }
    }

    /// Keeps what goes wrong from the page's first byte on.
    private static let witness = """
        <meta http-equiv="Content-Security-Policy" content="default-src 'unsafe-inline' data:">
        <script>
        const problems = [];
        addEventListener("error", event => problems.push(event.message ?? "an element cannot be loaded"), true);
        addEventListener("securitypolicyviolation", event => problems.push("wants " + event.blockedURI));
        </script>
        """

    private static func answer(_ question: String) -> String {
        """
        <script>
        addEventListener("load", () => {
          let answer;
          try { answer = \(question); } catch (error) { answer = {"error": String(error)}; }
          parent.postMessage(JSON.stringify(answer), "*");
        });
        </script>
        """
    }
}

/// A browser that does not answer.
package struct BrowserFailure: Error, CustomStringConvertible { package let description: String }
