import Drawing

/// How a report looks, and what it does under a pointer: nothing of it comes over a network.
package enum ReportStyle {
    /// A page that needs no other file.
    ///
    /// - Parameter body: HTML.
    package static func page(_ title: String, _ body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(title.escaped)</title><style>\(css)</style></head>
        <body><main>\(body)</main><script>\(script)</script></body></html>

        """
    }

    static let css = """
        :root { color-scheme: light dark; --page: #fbfbfa; --card: #ffffff; --ink: #22272e; --faint: #6b7280;
          --grid: #e5e7eb; --line: #dfe3e8; --series-0: #0072b2; --series-1: #d55e00; --series-2: #009e73;
          --series-3: #cc79a7; --series-4: #b98900; --series-5: #56b4e9; }
        @media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1c2026; --ink: #e6e8eb; --faint: #9aa3ae;
          --grid: #2c323a; --line: #313842; --series-0: #4aa8e0; --series-1: #f08a3c; --series-2: #2fc79b;
          --series-3: #e19cc3; --series-4: #e6b422; --series-5: #8fd0f5; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
        main { max-width: 1120px; margin: 0 auto; padding: 20px 16px 60px; }
        h1 { font-size: 1.5rem; margin: 8px 0 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 32px 0 10px; }
        p { margin: 4px 0; } .faint, figcaption .legend { color: var(--faint); }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px; margin-top: 14px; }
        .tile, .chart, .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px; }
        .tile b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
        .tile span { color: var(--faint); font-size: 0.85rem; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 12px; }
        .chart { margin: 0; position: relative; } .chart svg { width: 100%; height: auto; display: block; }
        .chart text { fill: var(--faint); font-size: 13px; } figcaption { font-weight: 600; margin-bottom: 6px; }
        .legend { display: block; font-weight: 400; font-size: 0.85rem; }
        .key { margin-right: 14px; white-space: nowrap; }
        .key::before { content: ""; display: inline-block; width: 18px; border-top: 3px solid var(--key, var(--faint));
          vertical-align: middle; margin-right: 5px; }
        .key.dashed::before { border-top-style: dashed; } .key.dotted::before { border-top-style: dotted; }
        .tip { position: absolute; pointer-events: none; background: var(--ink); color: var(--page); padding: 4px 8px;
          border-radius: 6px; font-size: 0.8rem; white-space: pre; display: none; z-index: 2; }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
        th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
        th:first-child, td:first-child { text-align: left; } th { color: var(--faint); font-weight: 500; }
        .bar { display: flex; height: 22px; border-radius: 6px; overflow: hidden; margin: 6px 0; }
        .bar i { display: block; } .pictures figure { margin: 0 0 16px; } .pictures img { max-width: 100%; height: auto;
          border-radius: 6px; image-rendering: auto; display: block; }
        .pictures .steps { display: grid; gap: 8px; } pre { overflow-x: auto; font-size: 12px; line-height: 1.4; }
        @media (max-width: 520px) { .chart text { font-size: 20px; } th, td { padding: 5px 4px; white-space: normal; } }
        details { margin-top: 12px; } summary { cursor: pointer; font-weight: 600; }
        """

    /// Shows the values of a chart where the pointer is.
    static let script = """
        for (const figure of document.querySelectorAll(".chart")) {
          const svg = figure.querySelector("svg"), data = JSON.parse(svg.dataset.values);
          const [left, right, top, bottom, low, high] = data.frame, width = svg.viewBox.baseVal.width;
          const tip = figure.appendChild(document.createElement("div"));
          tip.className = "tip";
          const mark = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "line"));
          mark.setAttribute("stroke", "var(--faint)");
          const text = v => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(3) : +v.toPrecision(5) + "";
          const show = event => {
            const box = svg.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * width;
            const x = low + (at - left) / (right - left) * (high - low), lines = [];
            let shown = null;
            for (const series of data.series) {
              let best = -1;
              series.x.forEach((value, i) => { if (best < 0 || Math.abs(value - x) < Math.abs(series.x[best] - x)) best = i; });
              if (best < 0) continue;
              shown = shown ?? series.x[best];
              lines.push((series.name ? series.name + "  " : "") + text(series.y[best]));
            }
            if (shown === null) return;
            const column = left + (shown - low) / (high - low) * (right - left);
            for (const [name, value] of [["x1", column], ["x2", column], ["y1", top], ["y2", bottom]]) mark.setAttribute(name, value);
            mark.style.display = "";
            tip.textContent = data.label + " " + text(shown) + "\\n" + lines.join("\\n");
            tip.style.display = "block";
            const place = column / width * box.width + svg.offsetLeft;
            tip.style.left = Math.min(Math.max(place + 10, 4), figure.clientWidth - tip.offsetWidth - 4) + "px";
            tip.style.top = svg.offsetTop + 12 + "px";
          };
          const hide = () => { tip.style.display = "none"; mark.style.display = "none"; };
          hide();
          svg.addEventListener("pointermove", show);
          svg.addEventListener("pointerdown", show);
          svg.addEventListener("pointerleave", hide);
        }
        """
}
