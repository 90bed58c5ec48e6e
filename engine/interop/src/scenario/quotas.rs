//! Quotas of clients: set, changed, removed and described.

use ringlog_protocol::ApiKey;
use ringlog_protocol::alter_client_quotas::{AlterClientQuotasRequest, EntityData, EntryData, OpData};
use ringlog_protocol::describe_client_quotas::{ComponentData, DescribeClientQuotasRequest};

use crate::Talk;

/// Match types of a filter's component (KIP-546).
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

/// What the scenario itself never reaches: quotas for everyone are of this size.
const PLENTY: f64 = 1e12;

type Part<'a> = (&'a str, Option<&'a str>);

pub(super) fn play(talk: &mut Talk) {
    for v in talk.versions(ApiKey::AlterClientQuotas) {
        alter(talk, v);
        refuse(talk, v);
    }
    describe(talk);
}

fn entry<'a>(entity: &[Part<'a>], ops: &[(&'a str, Option<f64>)]) -> EntryData<'a> {
    let entity =
        entity.iter().map(|(kind, name)| EntityData { entity_type: (*kind).into(), entity_name: name.map(Into::into) });
    let ops = ops.iter().map(|(key, value)| OpData {
        key: (*key).into(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    });
    EntryData { entity: entity.collect(), ops: ops.collect() }
}

fn all<'a>(entries: Vec<EntryData<'a>>) -> AlterClientQuotasRequest<'a> {
    AlterClientQuotasRequest { entries, ..Default::default() }
}

fn one<'a>(entity: &[Part<'a>], ops: &[(&'a str, Option<f64>)]) -> AlterClientQuotasRequest<'a> {
    all(vec![entry(entity, ops)])
}

fn filter<'a>(components: &[(&'a str, i8, Option<&'a str>)], strict: bool) -> DescribeClientQuotasRequest<'a> {
    let components = components.iter().map(|(kind, match_type, name)| ComponentData {
        entity_type: (*kind).into(),
        match_type: *match_type,
        r#match: name.map(Into::into),
    });
    DescribeClientQuotasRequest { components: components.collect(), strict }
}

/// Kafka acknowledges quotas some moments before it describes them; what comes later is not described earlier.
fn settle(talk: &mut Talk, v: i16) {
    let marker = ("client-id", Some("marker"));
    let marked = filter(&[("client-id", EXACT, marker.1)], false);
    let path = "entries[client-id marker].values[producer_byte_rate]";
    for (value, there) in [(Some(PLENTY), true), (None, false)] {
        talk.quietly(v, &one(&[marker], &[("producer_byte_rate", value)]));
        let seen = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            talk.quietly(v, &marked).get(path).is_empty() != there
        });
        assert!(seen, "quotas are not described after two seconds");
    }
}

fn alter(talk: &mut Talk, v: i16) {
    let (user, client) = (format!("alter-v{v}"), format!("client-v{v}"));
    let user = ("user", Some(&*user));
    let set = [("producer_byte_rate", Some(1000.0)), ("consumer_byte_rate", Some(2000.0))];
    talk.ask(v, "of a user", &one(&[user], &set));
    talk.ask(v, "of a user's client", &one(&[user, ("client-id", Some(&client))], &set));
    talk.ask(v, "of a client-id", &one(&[("client-id", Some(&client))], &[("controller_mutation_rate", Some(0.5))]));
    talk.ask(v, "of every user", &one(&[("user", None)], &[("producer_byte_rate", Some(PLENTY))]));
    talk.ask(v, "of an address", &one(&[("ip", Some("127.9.9.9"))], &[("connection_creation_rate", Some(5.0))]));
    talk.ask(v, "of the time of requests", &one(&[user], &[("request_percentage", Some(12.5))]));
    talk.quietly(v, &one(&[user], &[("request_percentage", None)]));
    let validated = AlterClientQuotasRequest {
        validate_only: true,
        ..one(&[user], &[("producer_byte_rate", Some(7.0)), ("consumer_byte_rate", None)])
    };
    talk.ask(v, "only validated", &validated);
    talk.ask(v, "none removed that is not there", &one(&[user], &[("controller_mutation_rate", None)]));
    talk.ask(v, "an unknown one removed", &one(&[user], &[("no_such_rate", None)]));
    talk.ask(v, "nothing", &one(&[user], &[]));
    talk.ask(v, "of nobody", &all(Vec::new()));
    let wrong = entry(&[("user", Some(""))], &set);
    talk.ask(v, "one of two wrong", &all(vec![entry(&[user], &[("consumer_byte_rate", Some(3000.0))]), wrong]));
    let exactly = |strict| filter(&[("user", EXACT, user.1)], strict);
    let describe = talk.versions(ApiKey::DescribeClientQuotas).filter(|d| *d == v).last().unwrap_or(0);
    settle(talk, v);
    talk.ask(describe, "what was altered", &exactly(false));
    talk.ask(describe, "what was altered, strictly", &exactly(true));
    talk.ask(v, "removed", &one(&[user], &[("producer_byte_rate", None), ("consumer_byte_rate", None)]));
    settle(talk, v);
    talk.ask(describe, "what was removed", &exactly(true));
    for entity in [&[user, ("client-id", Some(&*client))][..], &[("client-id", Some(&client))], &[("user", None)]] {
        let keys = ["producer_byte_rate", "consumer_byte_rate", "controller_mutation_rate"];
        talk.quietly(v, &one(entity, &keys.map(|key| (key, None))));
    }
    talk.quietly(v, &one(&[("ip", Some("127.9.9.9"))], &[("connection_creation_rate", None)]));
}

fn refuse(talk: &mut Talk, v: i16) {
    let user = ("user", Some("refused"));
    let (rate, ten) = ("producer_byte_rate", Some(10.0));
    talk.ask(v, "no entity", &one(&[], &[(rate, ten)]));
    talk.ask(v, "an entity that nobody knows", &one(&[("group", Some("g"))], &[(rate, ten)]));
    talk.ask(v, "an entity without a type", &one(&[("", Some("g"))], &[(rate, ten)]));
    talk.ask(v, "an empty name", &one(&[("client-id", Some(""))], &[(rate, ten)]));
    talk.ask(v, "a user and an address", &one(&[user, ("ip", Some("127.0.0.1"))], &[(rate, ten)]));
    talk.ask(v, "an address that is none", &one(&[("ip", Some("1.2.3.4.5"))], &[("connection_creation_rate", ten)]));
    talk.ask(v, "a key that nobody knows", &one(&[user], &[("no_such_rate", ten)]));
    talk.ask(v, "an address's key for a user", &one(&[user], &[("connection_creation_rate", ten)]));
    talk.ask(v, "a user's key for an address", &one(&[("ip", Some("127.0.0.1"))], &[(rate, ten)]));
    talk.ask(v, "no whole number", &one(&[user], &[(rate, Some(10.5))]));
    talk.ask(v, "zero", &one(&[user], &[(rate, Some(0.0))]));
    talk.ask(v, "less than zero", &one(&[user], &[(rate, Some(-1.0))]));
    talk.ask(v, "not a number", &one(&[user], &[(rate, Some(f64::NAN))]));
    talk.ask(v, "a mutation rate of zero", &one(&[user], &[("controller_mutation_rate", Some(0.0))]));
    talk.ask(v, "a mutation rate that is no number", &one(&[user], &[("controller_mutation_rate", Some(f64::NAN))]));
    talk.ask(v, "an endless mutation rate", &one(&[user], &[("controller_mutation_rate", Some(f64::INFINITY))]));
    talk.ask(v, "one key twice", &one(&[user], &[(rate, ten), (rate, Some(20.0))]));
    talk.ask(v, "one entity twice", &all(vec![entry(&[user], &[(rate, ten)]), entry(&[user], &[(rate, Some(20.0))])]));
    talk.ask(v, "one type twice", &one(&[user, ("user", Some("other"))], &[("no_such_rate", ten)]));
    settle(talk, v);
    let last = talk.versions(ApiKey::DescribeClientQuotas).last().unwrap_or(0);
    talk.ask(last, &format!("what was refused in AlterClientQuotas {v}"), &filter(&[("user", EXACT, user.1)], false));
    for key in [rate, "controller_mutation_rate"] {
        talk.quietly(v, &one(&[user], &[(key, None)]));
    }
}

fn describe(talk: &mut Talk) {
    let rate = [("producer_byte_rate", Some(PLENTY))];
    let (user, client) = (("user", Some("described")), ("client-id", Some("described")));
    let set: [(&[Part<'_>], _); 6] = [
        (&[user], rate),
        (&[client], rate),
        (&[user, client], rate),
        (&[user, ("client-id", None)], rate),
        (&[("user", None)], rate),
        (&[("ip", None)], [("connection_creation_rate", Some(100_000.0))]),
    ];
    talk.quietly(1, &all(set.iter().map(|(entity, ops)| entry(entity, ops)).collect()));
    settle(talk, 1);
    for v in talk.versions(ApiKey::DescribeClientQuotas) {
        for (title, components) in [
            ("everything", &[][..]),
            ("a user", &[("user", EXACT, Some("described"))]),
            ("every user's", &[("user", DEFAULT, None)]),
            ("all users", &[("user", ANY, None)]),
            ("all client-ids", &[("client-id", ANY, None)]),
            ("a user's client", &[("user", EXACT, Some("described")), ("client-id", EXACT, Some("described"))]),
            ("a user's clients", &[("user", EXACT, Some("described")), ("client-id", ANY, None)]),
            ("every address's", &[("ip", DEFAULT, None)]),
            ("who is not there", &[("user", EXACT, Some("nobody"))]),
            ("an empty name", &[("user", EXACT, Some(""))]),
            ("no type", &[("", EXACT, Some("described"))]),
            ("a type that nobody knows", &[("group", EXACT, Some("described"))]),
            ("one type twice", &[("user", EXACT, Some("described")), ("user", ANY, None)]),
            ("exactly nothing", &[("user", EXACT, None)]),
            ("the default by name", &[("user", DEFAULT, Some("described"))]),
            ("all by name", &[("user", ANY, Some("described"))]),
            ("a match that nobody knows", &[("user", 3, None)]),
            ("a user and an address", &[("user", ANY, None), ("ip", ANY, None)]),
        ] {
            talk.ask(v, title, &filter(components, false));
            talk.ask(v, &format!("{title}, strictly"), &filter(components, true));
        }
    }
    let unset = |ops: [(&'static str, Option<f64>); 1]| ops.map(|(key, _)| (key, None));
    talk.quietly(1, &all(set.iter().map(|(entity, ops)| entry(entity, &unset(*ops))).collect()));
}
