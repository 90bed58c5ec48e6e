//! The index of published runs: a page that finds every run below a folder, with filters by host, target and workload.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ringbench_stats::Host;

use crate::document::{escape, page};
use crate::error::ReportError;
use crate::lab::{LabResults, in_a_sentence};
use crate::results::Run;
use crate::utc;

/// Folders within folders are looked into so far.
const DEPTH: usize = 4;

/// A run that was found.
struct Entry {
    /// Its folder, from the index.
    folder: String,
    started_unix_ms: u64,
    workload: String,
    /// What was measured, each with its version.
    targets: Vec<String>,
    host: String,
    cells: usize,
    verdict: String,
    void: usize,
    /// It ended before its end.
    partial: bool,
}

impl Entry {
    /// What came out.
    fn said(&self) -> String {
        if self.partial { format!("Partial: {}", self.verdict) } else { self.verdict.clone() }
    }

    /// Its reports, from the index.
    fn report(&self, extension: &str) -> String {
        Path::new(&self.folder).join("report").with_extension(extension).display().to_string()
    }
}

/// Writes `index.html` and `index.md` of all runs below a folder, the latest first; gives the path of the page. Files that can't be
/// read are named in it.
///
/// # Errors
/// [`ReportError::Read`] of the folder, [`ReportError::Write`].
pub fn write_index(root: &Path) -> Result<PathBuf, ReportError> {
    let (mut entries, mut broken) = (Vec::new(), Vec::new());
    collect(root, root, DEPTH, &mut entries, &mut broken)?;
    entries.sort_by(|a, b| b.started_unix_ms.cmp(&a.started_unix_ms).then_with(|| a.folder.cmp(&b.folder)));
    broken.sort();
    let put = |name: &str, text: String| {
        let path = root.join(name);
        match std::fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Write { path, source }),
        }
    };
    put("index.md", markdown(&entries, &broken))?;
    put("index.html", html(&entries, &broken))
}

fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    entries: &mut Vec<Entry>,
    broken: &mut Vec<String>,
) -> Result<(), ReportError> {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let listed = listed.map_err(|source| ReportError::Read { path: folder.to_owned(), source })?;
    let name = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
    for file in &listed {
        let found = match file.file_name().to_str() {
            Some("results.json") => Run::read(folder).map(|run| entry_of_run(&run, folder, &name)),
            Some("lab.json") => LabResults::read(folder).map(|lab| entry_of_lab(&lab, &name)),
            _ => continue,
        };
        match found {
            Ok(entry) => entries.push(entry),
            Err(error) => broken.push(error.to_string()),
        }
    }
    for inner in listed.iter().filter(|file| file.file_type().is_ok_and(|kind| kind.is_dir()) && depth > 0) {
        collect(root, &inner.path(), depth - 1, entries, broken)?;
    }
    Ok(())
}

fn entry_of_run(run: &Run, folder: &Path, name: &str) -> Entry {
    Entry {
        folder: name.to_owned(),
        started_unix_ms: run.started_unix_ms,
        workload: run.workload.clone(),
        targets: run.targets.iter().map(|target| target.product.replace('|', "/")).collect(),
        host: host(&run.host),
        cells: run.cells.len(),
        verdict: crate::run::verdict(run, folder),
        void: run.void_cells().filter(|cell| cell.ran()).count(),
        partial: run.interrupted,
    }
}

fn entry_of_lab(lab: &LabResults, name: &str) -> Entry {
    Entry {
        folder: name.to_owned(),
        started_unix_ms: lab.started_unix_ms,
        workload: "I/O lab".to_owned(),
        targets: vec!["this host's I/O".to_owned()],
        host: host(&lab.host),
        cells: lab.cells.len(),
        verdict: in_a_sentence(lab),
        void: lab.cells.iter().filter(|cell| cell.failure.is_some()).count(),
        partial: lab.interrupted,
    }
}

fn host(host: &Host) -> String {
    let machine = if host.virtual_machine { ", virtual machine" } else { "" };
    format!(
        "{} × {}{machine}, {} MiB, {}, Linux {}",
        host.cpus, host.cpu, host.memory_mib, host.filesystem, host.kernel
    )
}

const TITLE: &str = "Published runs";

fn html(entries: &[Entry], broken: &[String]) -> String {
    let mut body = format!("<h1>{TITLE}</h1><p class=\"dim\" id=\"count\" role=\"status\">{}</p>", runs(entries.len()));
    body.push_str(
        "<p>Each with the raw figures that its report is made of. Made by <code>ringbench report --index</code>.</p>",
    );
    body.push_str(
        "<form id=\"filters\" hidden></form><div class=\"scroll\" tabindex=\"0\"><table id=\"runs\"><thead><tr>",
    );
    // Writing to a string can't fail.
    for name in ["run", "what came out", "workload", "target", "host", "cells", "void"] {
        let class = if matches!(name, "cells" | "void") { "" } else { " class=\"w\"" };
        let _ = write!(body, "<th scope=\"col\"{class}>{name}</th>");
    }
    body.push_str("</tr></thead><tbody>");
    for entry in entries {
        let _ = write!(
            body,
            "<tr data-workload=\"{workload}\" data-target=\"{listed}\" data-host=\"{host}\"><th scope=\"row\"><a href=\"{report}\">{started}</a><br><span class=\"dim\">{folder}</span></th><td class=\"w wide\">{}</td><td class=\"w\">{workload}</td><td class=\"w\">{targets}</td><td class=\"w\">{host}</td><td>{}</td><td>{}</td></tr>",
            escape(&entry.said()),
            entry.cells,
            entry.void,
            workload = escape(&entry.workload),
            listed = escape(&entry.targets.join("|")),
            targets = escape(&entry.targets.join(", ")),
            host = escape(&entry.host),
            report = escape(&entry.report("html")),
            folder = escape(&entry.folder),
            started = utc::text(entry.started_unix_ms),
        );
    }
    body.push_str("</tbody></table></div>");
    for error in broken {
        let _ = write!(body, "<p class=\"warning\">{}</p>", escape(error));
    }
    page(TITLE, &body, FILTERS)
}

/// Filters are made by the script: without one all runs are shown. What is chosen stands in the address, so it can be passed on.
const FILTERS: &str = "
const form=document.getElementById('filters'),rows=[...document.querySelectorAll('#runs tbody tr')],count=document.getElementById('count');
const chosen=new URLSearchParams(location.hash.slice(1));
for(const name of ['workload','target','host']){
  const values=[...new Set(rows.flatMap(row=>row.dataset[name].split('|')))].sort(),label=document.createElement('label'),select=document.createElement('select');
  select.name=name;select.append(new Option('all',''));for(const value of values)select.append(new Option(value,value));
  select.value=chosen.get(name)||'';if(select.selectedIndex<0)select.value='';label.append(name+' ',select);form.append(label);
}
function show(){
  const filters=[...new FormData(form)].filter(([,value])=>value);let seen=0;
  for(const row of rows){row.hidden=filters.some(([name,value])=>!row.dataset[name].split('|').includes(value));seen+=!row.hidden}
  count.textContent=`${seen===rows.length?'':seen+' of '}${rows.length} ${rows.length===1?'run':'runs'}`;
  history.replaceState(null,'',filters.length?'#'+new URLSearchParams(filters):location.pathname+location.search);
}
form.addEventListener('change',show);form.addEventListener('submit',event=>event.preventDefault());form.hidden=false;show();
";

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

fn markdown(entries: &[Entry], broken: &[String]) -> String {
    let mut out = format!(
        "# {TITLE}\n\nMade by `ringbench report --index`; [index.html](index.html) has filters.\n\n| run | what came out | workload | target | host | cells | void |\n|---|---|---|---|---|--:|--:|\n"
    );
    let plain = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for entry in entries {
        let _ = writeln!(
            out,
            "| [{}]({}) | {} | {} | {} | {} | {} | {} |",
            utc::text(entry.started_unix_ms),
            entry.report("md"),
            plain(&entry.said()),
            plain(&entry.workload),
            plain(&entry.targets.join(", ")),
            plain(&entry.host),
            entry.cells,
            entry.void,
        );
    }
    for error in broken {
        let _ = writeln!(out, "\nNot listed: {}", plain(error));
    }
    out
}
