import Files
import Foundation
import ImagePipeline
import Learning
import TestSupport
import Testing
import Training

/// The page of a run in the browser that people open it in.
@Suite(.enabled(if: Browser() != nil, "needs a Chromium")) struct ReportBrowserTests {
    /// What is seen of a page.
    private struct Looks: Decodable, Equatable {
        /// Errors of its script, and what it wanted from elsewhere.
        let problems: [String]
        /// Pixels by which it is wider than the window.
        let excess: Int
        /// Pixels of tables that only scrolling shows.
        let hidden: Int
        let charts: Int
        /// What the first chart says under a pointer.
        let tip: String
        /// Pictures that were drawn.
        let pictures: Int
        /// Brightness of the page and of its text, from 0 to 255.
        let paper: Int, ink: Int
    }

    private static let question = """
        (() => {
          const brightness = color => Math.max(...color.match(/[0-9]+/g).slice(0, 3).map(Number));
          const svg = document.querySelector(".chart svg"), box = svg.getBoundingClientRect();
          svg.dispatchEvent(new PointerEvent("pointermove", {"clientX": box.right - 30, "clientY": box.top + 50}));
          const looks = getComputedStyle(document.body);
          const hidden = [...document.querySelectorAll(".scroll")].map(table => table.scrollWidth - table.clientWidth);
          return {
            "problems": problems, "excess": document.documentElement.scrollWidth - innerWidth,
            "hidden": Math.max(...hidden),
            "charts": document.querySelectorAll(".chart polyline").length,
            "tip": document.querySelector(".tip").textContent,
            "pictures": [...document.images].filter(image => image.complete && image.naturalWidth > 0).length,
            "paper": brightness(looks.backgroundColor), "ink": brightness(looks.color),
          };
        })()
        """

    private func looks(_ page: String, width: Int, isDark: Bool = false) throws -> Looks {
        try #require(Browser()).ask(page, width: width, isDark: isDark, Self.question)
    }

    /// A page with all that a page can have.
    private func page() throws -> String {
        var page = ""
        try ReportedRun.with { run in
            var reporter = try run.reporter()
            try run.begin(reporter)
            for step in 1...4 { try run.step(reporter, step, loss: -Double(step)) }
            var position = RunPosition()
            (position.step, position.epoch) = (4, 1)
            let image = RGBImage(width: 800, height: 2, pixels: [UInt8](repeating: 90, count: 4800))
            reporter.evaluated(
                EvaluationReport(
                    scores: [Score(name: "segmentation mIoU", value: 0.5, floor: 0.75, trained: 1, scored: 1)],
                    pictures: [try EvaluationPicture(name: "straße & <b>", image)]), position)
            reporter = try run.reporter()
            try run.begin(reporter, step: 4, from: "step-4")
            try run.step(reporter, 5, loss: -5)
            reporter.writeReport()
            page = try WholeFile.text(of: run.directory.report)
        }
        return page
    }

    @Test func itIsReadableOnAPhoneAndADeskInLightAndDark() throws {
        let page = try page()
        for width in [360, 1280] {
            for isDark in [false, true] {
                let looks = try looks(page, width: width, isDark: isDark)
                #expect(looks.problems == [] && looks.excess <= 0 && looks.hidden == 0, "\(width) pixels: \(looks)")
                #expect(looks.charts > 1 && looks.pictures == 1, "\(looks)")
                #expect(looks.tip == "step 5\n-5", "\(looks)")
                #expect(isDark ? looks.ink > looks.paper + 120 : looks.paper > looks.ink + 120, "\(looks)")
            }
        }
    }

    /// The question finds what it asks for.
    @Test func whatIsWrongWithAPageIsSeen() throws {
        let page = try page().replacingOccurrences(
            of: "</main>",
            with: """
                <img src="https://example.org/a.png"><div style="width: 3000px">wide</div><script>missing();</script></main>
                """)
        let looks = try looks(page, width: 360)
        #expect(looks.excess > 2000, "\(looks)")
        #expect(looks.problems.contains { $0.hasPrefix("wants https://example.org") }, "\(looks)")
        #expect(looks.problems.contains { $0.contains("missing") }, "\(looks)")
    }
}
