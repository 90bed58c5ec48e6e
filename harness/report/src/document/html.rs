//! A report as one page: opens without a network, light and dark, printable, usable with the keyboard alone.

use std::fmt::Write as _;

use super::{Block, Document, Figure, Table, Verdict, slug};
use crate::chart::{DARK, LIGHT, SHAPES};

const STYLE: &str = "
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1400px;margin:0 auto;padding:32px 20px 60px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 8px}h3{font-size:15px;margin:22px 0 8px}p{margin:8px 0;max-width:60em}
a{color:var(--c1)}nav{font-size:13px;margin:10px 0}nav a{margin-right:14px;white-space:nowrap}
:focus-visible{outline:2px solid var(--c2);outline-offset:2px}
.dim{color:var(--dim)}.warning{color:var(--bad)}
.verdict{max-width:1120px;margin:14px 0 20px;padding:12px 18px;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--c1);border-radius:4px}
.verdict.bad{border-left-color:var(--bad)}.verdict .summary{font-size:17px}.verdict .warning{font-weight:600}
.verdict dl{margin:8px 0 0}.verdict dt{font-weight:600;margin-top:8px}.verdict dd{margin:0 0 0 16px}
#filters{display:flex;flex-wrap:wrap;gap:8px 16px;margin:8px 0}#filters[hidden],tr[hidden]{display:none}
select{font:inherit;font-size:13px;max-width:min(22em,70vw);color:var(--ink);background:var(--card);border:1px solid var(--dim);border-radius:3px;padding:2px 4px}
code{background:var(--card);border:1px solid var(--line);border-radius:3px;padding:1px 5px;font-size:13px;overflow-wrap:anywhere}
.grid2{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr));gap:12px;align-items:start;margin:10px 0}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:4px;padding:10px 12px}
figure.wide,figure:has(details[open]){grid-column:1/-1}
@media (min-width:1000px){figure:not(.wide):has(details[open]){display:grid;grid-template:auto auto 1fr/minmax(0,470px) minmax(0,1fr);column-gap:24px}figure:not(.wide)>:not(details){grid-column:1}figure:not(.wide)>details[open]{grid-area:1/2/span 3}}
figure h4{margin:0 0 6px;font-size:13px;font-weight:600}figcaption{color:var(--dim);font-size:12.5px;margin-top:4px}
svg{width:100%;height:auto;display:block;max-width:470px}.wide svg{min-width:640px;max-width:1080px}.chart{overflow-x:auto}
details{margin-top:6px}summary{cursor:pointer;font-size:13px;color:var(--dim)}
.scroll{overflow-x:auto;margin-top:8px}
table{border-collapse:collapse;min-width:min(100%,640px);font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 8px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;vertical-align:top}
thead th{color:var(--dim);font-weight:600;vertical-align:bottom;white-space:normal;max-width:8em}tbody th{font-weight:400}
th:first-child,td:first-child,th.w,td.w{text-align:left}
tr>th:first-child{position:sticky;left:0;background:var(--paper)}figure tr>th:first-child{background:var(--card)}
td.w{white-space:normal;min-width:11em;max-width:60em;overflow-wrap:anywhere}td.wide{min-width:24em}
tr.grey>*{color:var(--dim)}tr:has(+.remark)>*{border-bottom:0}
.remark td{white-space:normal;color:var(--dim);padding:0 8px 6px 24px}
figure table{font-size:12px}figure th,figure td{padding:3px 6px}figure .remark td{padding:0 6px 5px 20px}
";

/// Paper is white, does not scroll and has no keyboard; it lies on its side, which is what the widest tables take.
const PRINT: &str = "\
@page{size:A4 landscape;margin:12mm}body{background:none}nav{display:none}main{max-width:none;padding:0}figure,dt,dd,tr{break-inside:avoid}figure:has(table){break-inside:auto}.chart,h4,dt,h2,h3,tr:has(+.remark){break-after:avoid}
.scroll,.chart{overflow:visible}tr>th:first-child,figure tr>th:first-child{position:static;background:none}.wide svg{min-width:0}svg rect,svg circle{print-color-adjust:exact;-webkit-print-color-adjust:exact}
table,figure table{font-size:10px}td,th{white-space:normal;padding:3px 4px}td.w,td.wide{min-width:0}";

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
    let mut section = "";
    for block in &document.blocks {
        if let Block::Section(title) = block {
            section = title;
        }
        self::block(&mut out, block, section);
    }
    page(&document.title, &out, OPEN_FOR_PRINT)
}

/// A page that needs nothing but itself. `body` and `script` are taken as they are.
pub(crate) fn page(title: &str, body: &str, script: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>{}</title><style>:root{{color-scheme:light dark;{LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{DARK}}}}}{STYLE}{SHAPES}@media print{{:root{{{LIGHT}}}{PRINT}}}</style></head><body><main>{body}</main><script>{script}</script></body></html>\n",
        escape(title)
    )
}

fn verdict(out: &mut String, verdict: &Verdict) {
    let class = if verdict.warnings.is_empty() { "verdict" } else { "verdict bad" };
    let _ = write!(
        out,
        "<section class=\"{class}\" aria-label=\"Verdict\"><p class=\"summary\">{}</p>",
        escape(&verdict.summary)
    );
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
    out.push_str("</section>");
}

fn block(out: &mut String, block: &Block, section: &str) {
    let _ = match block {
        Block::Section(title) => write!(out, "<h2 id=\"{}\">{}</h2>", slug(title), escape(title)),
        Block::Part(title) => write!(out, "<h3>{}</h3>", escape(title)),
        Block::Text(text) => write!(out, "<p class=\"dim\">{}</p>", escape(text)),
        Block::Command(what, command) => write!(out, "<p>{}: <code>{}</code></p>", escape(what), escape(command)),
        Block::Table(table) => {
            self::table(out, table, section);
            Ok(())
        }
        Block::Fold(title, table) => {
            let _ = write!(out, "<details><summary>{}</summary>", escape(title));
            self::table(out, table, title);
            write!(out, "</details>")
        }
        Block::Figures(figures) => {
            out.push_str("<div class=\"grid2\">");
            figures.iter().for_each(|figure| self::figure(out, figure, figures.len() == 1));
            out.push_str("</div>");
            Ok(())
        }
    };
}

/// A figure; where it is `alone` its table is not in the way of another one.
fn figure(out: &mut String, figure: &Figure, alone: bool) {
    let (class, scrolls) = match figure.chart.is_half() {
        true => ("", String::new()),
        false => (" class=\"wide\"", scrolls(&figure.title)),
    };
    let is_short = figure.table.rows.len() <= SHORT;
    let open = if is_short && (alone || !figure.chart.is_half()) { " open" } else { "" };
    let _ = write!(
        out,
        "<figure{class}><h4>{}</h4><div class=\"chart\"{scrolls}>{}</div>",
        escape(&figure.title),
        figure.chart.inline()
    );
    if !figure.caption.is_empty() {
        let _ = write!(out, "<figcaption>{}</figcaption>", escape(&figure.caption));
    }
    let _ = write!(out, "<details{open}><summary>Table</summary>");
    table(out, &figure.table, &figure.title);
    out.push_str("</details></figure>");
}

/// What may be wider than the page is scrolled with the keyboard, too, and said by its name.
fn scrolls(name: &str) -> String {
    format!(" tabindex=\"0\" role=\"group\" aria-label=\"{}\"", escape(name))
}

fn table(out: &mut String, table: &Table, name: &str) {
    let _ = write!(out, "<div class=\"scroll\"{}><table>", scrolls(name));
    let class = |column: usize| if table.words.contains(&column) { " class=\"w\"" } else { "" };
    if table.head.iter().any(|name| !name.is_empty()) {
        out.push_str("<thead><tr>");
        for (column, name) in table.head.iter().enumerate().filter(|(column, _)| table.remarks != Some(*column)) {
            let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(column), escape(name));
        }
        out.push_str("</tr></thead>");
    }
    out.push_str("<tbody>");
    for (index, row) in table.rows.iter().enumerate() {
        let grey = table.grey.contains(&index);
        out.push_str(if grey { "<tr class=\"grey\">" } else { "<tr>" });
        for (column, value) in row.iter().enumerate().filter(|(column, _)| table.remarks != Some(*column)) {
            let (open, close) = if column == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
            let class = class(column);
            let _ = write!(out, "<{open}{class}>{}</{close}>", escape(value));
        }
        out.push_str("</tr>");
        let remark = table.remarks.and_then(|column| row.get(column)).filter(|remark| !remark.is_empty());
        if let Some(remark) = remark {
            let (columns, remark) = (row.len() - 1, escape(remark));
            let _ = write!(out, "<tr class=\"remark\"><td colspan=\"{columns}\">{remark}</td></tr>");
        }
    }
    out.push_str("</tbody></table></div>");
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
