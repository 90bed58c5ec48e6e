//! A report as one page: opens without a network, light and dark, printable, usable with the keyboard alone.

use std::fmt::Write as _;

use super::{Block, Document, Figure, Table, Verdict, slug};
use crate::chart::SHAPES;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2430;--dim:#5d6b7a;--paper:#fbfbf9;--card:#fff;--line:#e3e5e1;--soft:#9cc3d5;--rest:#a3adb6;--bad:#b3261e;--cut:var(--card);--c1:#1f6f9c;--c2:#b9530f;--c3:#14805e;--c4:#a2478a;--c5:#75670f}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--dim:#98a5b3;--paper:#14181d;--card:#1b2128;--line:#2c343d;--soft:#35586a;--rest:#6d7884;--bad:#ff8a80;--c1:#5fb0d8;--c2:#ef9a5c;--c3:#4fc39a;--c4:#dc8fc6;--c5:#cdbc55}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:32px 20px 60px}h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 8px}h3{font-size:15px;margin:22px 0 8px}p{margin:8px 0;max-width:60em}
nav{font-size:13px;margin:10px 0}nav a{margin-right:14px;white-space:nowrap}a{color:var(--c1)}#filters{display:flex;flex-wrap:wrap;gap:8px 16px;margin:8px 0}#filters[hidden],tr[hidden]{display:none}select{font:inherit;font-size:13px;max-width:min(22em,70vw);color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:3px;padding:2px 4px}.warning{color:var(--bad)}:focus-visible{outline:2px solid var(--c2);outline-offset:2px}
.verdict{margin:14px 0 20px;padding:12px 18px;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--c1);border-radius:4px}
.verdict.bad{border-left-color:var(--bad)}.verdict .summary{font-size:17px}.verdict .warning{color:var(--bad);font-weight:600}.verdict dt{font-weight:600;margin-top:8px}.verdict dd{margin:0 0 0 16px}.verdict dl{margin:8px 0 0}
.dim{color:var(--dim)}.grid2{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr));gap:12px;align-items:start;margin:10px 0}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:4px;padding:10px 12px}figure.wide,figure:has(details[open]){grid-column:1/-1}figure:not(.wide) svg{max-width:470px}figure h4{margin:0 0 6px;font-size:13px;font-weight:600}
figcaption{color:var(--dim);font-size:12.5px;margin-top:4px}svg{width:100%;height:auto;display:block}.chart{overflow-x:auto}.wide .chart svg{min-width:640px}details{margin-top:6px}summary{cursor:pointer;font-size:13px;color:var(--dim)}
.scroll{overflow-x:auto;margin-top:8px}table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;vertical-align:top}
th:first-child,td:first-child,th.w,td.w{text-align:left}td.w,tbody th.w{white-space:normal;min-width:11em;overflow-wrap:anywhere}td.wide{min-width:24em}thead th{color:var(--dim);font-weight:600}tbody th{font-weight:400}tr.grey>*{color:var(--dim)}figure table{font-size:12px}figure td.w{white-space:nowrap}figure th,figure td{padding:3px 6px}
code{background:var(--card);border:1px solid var(--line);border-radius:3px;padding:1px 5px;font-size:13px;overflow-wrap:anywhere}
@media print{:root{--ink:#1c2430;--dim:#5d6b7a;--paper:#fff;--card:#fff;--line:#d5d8d3;--soft:#9cc3d5;--rest:#a3adb6;--bad:#b3261e;--c1:#1f6f9c;--c2:#b9530f;--c3:#14805e;--c4:#a2478a;--c5:#75670f}nav{display:none}figure,.verdict,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll,.chart{overflow:visible}.wide .chart svg{min-width:0}svg rect,svg circle{print-color-adjust:exact;-webkit-print-color-adjust:exact}td,th,figure td.w{white-space:normal;padding:3px 4px}td.w,tbody th.w,td.wide{min-width:0}table,figure table{font-size:10.5px}}
";

/// A longer table is not shown until it is asked for.
const SHORT: usize = 16;

/// On paper nothing can be opened.
const OPEN_FOR_PRINT: &str =
    "addEventListener('beforeprint',()=>document.querySelectorAll('details').forEach(d=>d.open=true))";

pub(super) fn render(document: &Document) -> String {
    let title = escape(&document.title);
    let mut out = format!("<h1>{title}</h1><p class=\"dim\">{}</p>", escape(&document.about));
    verdict(&mut out, &document.verdict);
    out.push_str("<nav aria-label=\"Sections\">");
    // Writing to a string can't fail.
    for block in &document.blocks {
        if let Block::Section(title) = block {
            let _ = write!(out, "<a href=\"#{}\">{}</a> ", slug(title), escape(title));
        }
    }
    out.push_str("</nav>");
    document.blocks.iter().for_each(|block| self::block(&mut out, block));
    page(&document.title, &out, OPEN_FOR_PRINT)
}

/// A page that needs nothing but itself. `body` and `script` are taken as they are.
pub(crate) fn page(title: &str, body: &str, script: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>{}</title><style>{STYLE}{SHAPES}</style></head><body><main>{body}</main><script>{script}</script></body></html>\n",
        escape(title)
    )
}

fn verdict(out: &mut String, verdict: &Verdict) {
    let class = if verdict.warnings.is_empty() { "verdict" } else { "verdict bad" };
    let _ = write!(out, "<div class=\"{class}\"><p class=\"summary\">{}</p>", escape(&verdict.summary));
    for warning in &verdict.warnings {
        let _ = write!(out, "<p class=\"warning\">{}</p>", escape(warning));
    }
    if !verdict.sayings.is_empty() {
        out.push_str("<dl>");
        for (about, sayings) in &verdict.sayings {
            let _ = write!(out, "<dt>{}</dt>", escape(about));
            for saying in sayings {
                let _ = write!(out, "<dd>{}</dd>", escape(saying));
            }
        }
        out.push_str("</dl>");
    }
    out.push_str("</div>");
}

fn block(out: &mut String, block: &Block) {
    let _ = match block {
        Block::Section(title) => write!(out, "<h2 id=\"{}\">{}</h2>", slug(title), escape(title)),
        Block::Part(title) => write!(out, "<h3>{}</h3>", escape(title)),
        Block::Text(text) => write!(out, "<p class=\"dim\">{}</p>", escape(text)),
        Block::Command(what, command) => write!(out, "<p>{}: <code>{}</code></p>", escape(what), escape(command)),
        Block::Table(table) => {
            self::table(out, table);
            Ok(())
        }
        Block::Fold(title, table) => {
            let _ = write!(out, "<details><summary>{}</summary>", escape(title));
            self::table(out, table);
            write!(out, "</details>")
        }
        Block::Figures(figures) => {
            out.push_str("<div class=\"grid2\">");
            figures.iter().for_each(|figure| self::figure(out, figure));
            out.push_str("</div>");
            Ok(())
        }
    };
}

fn figure(out: &mut String, figure: &Figure) {
    let wide = if figure.chart.is_half() { "" } else { " class=\"wide\"" };
    let open = if wide.is_empty() || figure.table.rows.len() > SHORT { "" } else { " open" };
    let _ = write!(
        out,
        "<figure{wide}><h4>{}</h4><div class=\"chart\" tabindex=\"0\">{}</div>",
        escape(&figure.title),
        figure.chart.inline()
    );
    if !figure.caption.is_empty() {
        let _ = write!(out, "<figcaption>{}</figcaption>", escape(&figure.caption));
    }
    let _ = write!(out, "<details{open}><summary>Table</summary>");
    table(out, &figure.table);
    out.push_str("</details></figure>");
}

fn table(out: &mut String, table: &Table) {
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table>");
    let class = |column: usize| if table.words.contains(&column) { " class=\"w\"" } else { "" };
    if table.head.iter().any(|name| !name.is_empty()) {
        out.push_str("<thead><tr>");
        for (column, name) in table.head.iter().enumerate() {
            let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(column), escape(name));
        }
        out.push_str("</tr></thead>");
    }
    out.push_str("<tbody>");
    for (index, row) in table.rows.iter().enumerate() {
        out.push_str(if table.grey.contains(&index) { "<tr class=\"grey\">" } else { "<tr>" });
        for (column, value) in row.iter().enumerate() {
            let (open, close) = if column == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
            let class = class(column);
            let _ = write!(out, "<{open}{class}>{}</{close}>", escape(value));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
