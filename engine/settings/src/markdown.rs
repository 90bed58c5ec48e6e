//! `engine/CONFIG.md`, from the tables.

use std::fmt::Write as _;

use crate::setting::{Setting, Update};
use crate::topic::broker_synonyms;
use crate::{BROKER, TOPIC};

/// The text of `engine/CONFIG.md`.
#[must_use]
pub fn config_md() -> String {
    let mut out = String::from(
        "# Settings\n\n\
        Generated from `engine/settings`; `RINGLOG_BLESS=1 cargo test -p ringlog-settings` writes it anew.\n\n\
        `ringlog serve --config server.properties` reads broker settings in the format of Java's properties files; `--set key=value`\n\
        beats the file. Names, units, defaults and bounds are Apache Kafka's; settings marked *own* are Ringlog's. A setting that is\n\
        unknown or out of range keeps the broker from starting. Kafka's settings that are not in this list are taken and do nothing;\n\
        the broker says so, with the reason, when it starts.\n\n\
        *Changes*: `restart` counts at the start; `running` may also be changed with `ringlog configs alter` or Kafka's tools.\n\n\
        ## Broker\n\n| setting | default | allowed | changes | what it does |\n|---|---|---|---|---|\n",
    );
    for setting in BROKER {
        row(&mut out, setting, None);
    }
    out.push_str(
        "\n## Topic\n\nSet with `ringlog topics create --config` or `configs alter`; the broker setting in brackets stands in where the topic\n\
        has none.\n\n| setting | default | allowed | falls back to | what it does |\n|---|---|---|---|---|\n",
    );
    for setting in TOPIC {
        let synonyms: Vec<String> = broker_synonyms(setting.name).iter().map(|(name, _)| format!("`{name}`")).collect();
        row(&mut out, setting, Some(synonyms.join(", ")));
    }
    out
}

fn row(out: &mut String, setting: &Setting, falls_back: Option<String>) {
    let default = match setting.default {
        Some("") => "(empty)".to_owned(),
        Some(default) => format!("`{default}`"),
        None => "(unset)".to_owned(),
    };
    let own = if setting.is_own { " *own*" } else { "" };
    let changes = falls_back.unwrap_or_else(|| match setting.update {
        Update::ReadOnly => "restart".to_owned(),
        Update::Dynamic => "running".to_owned(),
    });
    // Writing to a string can't fail.
    let _ =
        writeln!(out, "| `{}`{own} | {default} | {} | {changes} | {} |", setting.name, setting.allowed(), setting.doc);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_md_is_what_the_tables_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../CONFIG.md");
        if std::env::var_os("RINGLOG_BLESS").is_some() {
            std::fs::write(path, config_md()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == config_md(), "engine/CONFIG.md is stale: RINGLOG_BLESS=1 cargo test -p ringlog-settings");
    }
}
