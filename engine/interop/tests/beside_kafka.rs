//! The scenario asked of us, compared field by field with what Apache Kafka answered.
//!
//! `recorded/` holds Kafka's answers; `RINGLOG_INTEROP_RECORDED` names a directory with others. `RINGLOG_INTEROP_RECORD`
//! names a directory that takes the answers of the broker under test, which are then not compared:
//! `scripts/beside-kafka.sh` records Kafka anew that way.

use std::path::{Path, PathBuf};

use ringlog_interop::{Broker, Differences, Recording, Talk, play};
use ringlog_protocol::ApiKey;

#[test]
fn every_answer_is_kafkas_but_for_the_differences_on_purpose() {
    let broker = Broker::start();
    let mut talk = Talk::with(broker.bootstrap());
    play(&mut talk);
    let answers = Recording::of(talk.exchanges());
    if let Some(directory) = std::env::var_os("RINGLOG_INTEROP_RECORD") {
        answers.save(&PathBuf::from(directory)).unwrap();
        return;
    }
    let interop = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recorded = std::env::var_os("RINGLOG_INTEROP_RECORDED").map_or(interop.join("recorded"), PathBuf::from);
    let kafka = Recording::load(&recorded).unwrap();
    let on_purpose = Differences::parse(&std::fs::read_to_string(interop.join("differences.txt")).unwrap());
    let mut found = kafka.compare(&answers, &on_purpose);
    for api in ApiKey::ALL {
        let asked = |version| talk.exchanges().iter().any(|e| (e.api, e.version) == (*api, version));
        // Another broker may advertise more than the scenario knows; ours may not.
        let unasked = talk.versions(*api).filter(|v| broker.data().is_some() && !asked(*v));
        found.extend(unasked.map(|v| format!("{api} v{v}: advertised, but not in the scenario")));
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    broker.stop();
}
