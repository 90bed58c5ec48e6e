//! Fetching.

use ringlog_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ringlog_protocol::{ApiKey, Uuid};

use super::{NO_ID, NOWHERE, batch, fill, topic};
use crate::Talk;

/// One partition from an offset on, without waiting and outside of any session.
fn from(topic: &str, topic_id: Uuid, partition: i32, fetch_offset: i64) -> FetchRequest<'static> {
    let partition = FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: topic.to_owned().into(), topic_id, partitions: vec![partition] };
    FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..Default::default() }
}

fn with(mut request: FetchRequest<'static>, change: impl Fn(&mut FetchPartition)) -> FetchRequest<'static> {
    request.topics.iter_mut().flat_map(|t| &mut t.partitions).for_each(change);
    request
}

pub(super) fn play(talk: &mut Talk) {
    let id = topic(talk, "fetched");
    for _ in 0..2 {
        fill(talk, "fetched", id, 0, &batch(5));
    }
    for v in talk.versions(ApiKey::Fetch) {
        let at = |offset| from("fetched", id, 0, offset);
        talk.ask(v, "from the first offset", &at(0));
        talk.ask(v, "from inside a batch", &at(2));
        talk.ask(v, "from the second batch", &at(5));
        talk.ask(v, "from the end", &at(10));
        talk.ask(v, "from behind the end", &at(11));
        talk.ask(v, "from below the start", &at(-1));
        talk.ask(v, "a partition's limit lets the first batch through", &with(at(0), |p| p.partition_max_bytes = 1));
        talk.ask(v, "a request's limit lets the first batch through", &FetchRequest { max_bytes: 1, ..at(0) });
        talk.ask(v, "a limit of zero", &with(at(0), |p| p.partition_max_bytes = 0));
        talk.ask(v, "committed records only", &FetchRequest { isolation_level: 1, ..at(0) });
        talk.ask(v, "less than wanted, after a wait", &FetchRequest { min_bytes: 1 << 20, max_wait_ms: 50, ..at(10) });
        talk.ask(v, "a partition that the topic lacks", &from("fetched", id, 7, 0));
        talk.ask(v, "an unknown topic", &from(NOWHERE, NO_ID, 0, 0));
        let mut two = at(5);
        two.topics.extend(from(NOWHERE, NO_ID, 0, 0).topics);
        talk.ask(v, "a known and an unknown topic", &two);
        talk.ask(v, "nothing", &FetchRequest::default());
        if v >= 7 {
            talk.ask(v, "a session that does not exist", &FetchRequest { session_id: 77, session_epoch: 1, ..at(0) });
        }
        if v >= 9 {
            talk.ask(v, "the leader's epoch", &with(at(5), |p| p.current_leader_epoch = 0));
            talk.ask(v, "an epoch that is still to come", &with(at(5), |p| p.current_leader_epoch = 9));
        }
        if v >= 12 {
            talk.ask(v, "after records of this epoch", &with(at(5), |p| p.last_fetched_epoch = 0));
        }
    }
}
