//! `ringlog groups`: list, describe with lag, show members, reset and delete offsets, delete.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clap::{Args, Subcommand};
use ringlog_client::{
    Admin, ClientError, CommittedOffset, ErrorCode, GroupDescription, GroupListing, GroupMember, OffsetSpec,
    TopicPartition,
};
use serde::Serialize;

use crate::connection::Broker;
use crate::failure::Failure;
use crate::table::{Cell, Table, print_json};
use crate::timestamp;

#[derive(Debug, Args)]
pub(crate) struct Groups {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the groups
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a group's offsets and lag, and who reads what; all groups when the name is left out
    Describe {
        /// The group
        group: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a group's members and what they read
    Members {
        /// The group
        group: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Move the offsets of a group without members; shows what would be done, unless --execute is given
    ResetOffsets {
        /// The group
        group: String,
        /// The topic
        #[arg(long, required_unless_present = "all_topics")]
        topic: Option<String>,
        /// Of no topic: all that the group has committed
        #[arg(long, conflicts_with = "topic")]
        all_topics: bool,
        /// Only this partition; may be repeated
        #[arg(long = "partition", value_name = "P", conflicts_with = "all_topics")]
        partitions: Vec<i32>,
        #[command(flatten)]
        to: Target,
        /// Do it
        #[arg(long)]
        execute: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget what a group has committed for a topic that no member reads
    DeleteOffsets {
        /// The group
        group: String,
        /// The topic
        #[arg(long)]
        topic: String,
        /// Only this partition; may be repeated
        #[arg(long = "partition", value_name = "P")]
        partitions: Vec<i32>,
    },
    /// Delete a group without members, with its offsets
    Delete {
        /// The group
        group: String,
    },
}

/// Where the offsets shall go.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// To the first record that is there
    #[arg(long)]
    to_earliest: bool,
    /// Behind the last
    #[arg(long)]
    to_latest: bool,
    /// To this offset, or the nearest that there is
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// To the first record from this time on: 2026-11-21T02:11:54Z, or ms since 1970
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse)]
    to_datetime: Option<i64>,
    /// To the first record that is no older than this: 30s, 15m, 2h, 7d
    #[arg(long, value_name = "AGE", value_parser = timestamp::parse_ago)]
    by_duration: Option<i64>,
    /// So many records on, or back when it is negative
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,
}

/// What `describe` shows of a group.
#[derive(Serialize)]
struct Description {
    group: String,
    state: String,
    assignor: String,
    members: usize,
    offsets: Table,
}

impl Groups {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let admin = self.broker.admin().await?;
        match self.command {
            Command::List { json } => list(&admin, json).await,
            Command::Describe { group, json } => describe(&admin, group, json).await,
            Command::Members { group, json } => members(&admin, &group, json).await,
            Command::ResetOffsets { group, topic, partitions, to, execute, json, .. } => {
                reset(&admin, &group, topic.as_deref(), partitions, &to, execute, json).await
            }
            Command::DeleteOffsets { group, topic, partitions } => {
                delete_offsets(&admin, &group, &topic, &partitions).await
            }
            Command::Delete { group } => {
                admin.delete_group(&group).await?;
                Ok(writeln!(io::stdout(), "deleted group {group}")?)
            }
        }
    }
}

async fn list(admin: &Admin, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["GROUP", "TYPE", "STATE", "PROTOCOL"]);
    for group in admin.groups().await? {
        let known = |text: String| Cell::from(Some(text).filter(|text| !text.is_empty()));
        table.push([group.group.into(), known(group.kind), known(group.state), known(group.protocol_type)]);
    }
    if table.is_empty() && !json {
        eprintln!("there are no groups");
        return Ok(());
    }
    table.print(json)
}

async fn describe(admin: &Admin, group: Option<String>, json: bool) -> Result<(), Failure> {
    let is_named = group.is_some();
    let groups = match group {
        Some(group) => vec![group],
        None => admin.groups().await?.into_iter().filter(is_of_consumers).map(|group| group.group).collect(),
    };
    let mut shown = Vec::with_capacity(groups.len());
    for group in groups {
        let found = admin.group(&group).await;
        // Of all, one may have gone since they were listed.
        if is_named || !is_gone(&found) {
            shown.push(description(admin, found?).await?);
        }
    }
    let mut out = io::stdout().lock();
    if json {
        return print_json(&mut out, &shown);
    }
    for (index, group) in shown.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let plural = if group.members == 1 { "" } else { "s" };
        write!(out, "group {}: {}, {} member{plural}", group.group, group.state, group.members)?;
        if !group.assignor.is_empty() {
            write!(out, ", {}", group.assignor)?;
        }
        writeln!(out)?;
        if group.offsets.is_empty() {
            writeln!(out, "it has committed nothing and reads nothing")?;
        } else {
            write!(out, "{}", group.offsets)?;
        }
    }
    Ok(())
}

/// Other kinds have neither offsets that they have committed nor partitions of their own.
fn is_of_consumers(group: &GroupListing) -> bool {
    // A broker that is too old to say has no other kind.
    matches!(&*group.kind, "" | "classic" | "consumer")
}

fn is_gone(group: &Result<GroupDescription, ClientError>) -> bool {
    match group {
        Ok(group) => group.state == "Dead",
        Err(error) => error.code() == Some(ErrorCode::GroupIdNotFound),
    }
}

async fn description(admin: &Admin, group: GroupDescription) -> Result<Description, Failure> {
    let committed = admin.group_offsets(&group.group).await?;
    let readers: BTreeMap<&TopicPartition, &GroupMember> =
        group.members.iter().flat_map(|member| member.assignment.iter().map(move |at| (at, member))).collect();
    let partitions: BTreeSet<&TopicPartition> = committed.keys().chain(readers.keys().copied()).collect();
    let ends = ends(admin, partitions.iter().copied()).await?;
    let mut offsets = Table::new(&[
        "TOPIC",
        "PARTITION",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "MEMBER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for partition in partitions {
        let current = committed.get(partition).map(|committed| committed.offset);
        let end = ends.get(partition).copied();
        let lag = current.zip(end).map(|(current, end)| (end - current).max(0));
        let reader = readers.get(partition);
        let text = |of: fn(&GroupMember) -> &String| Cell::from(reader.map(|member| of(member).as_str()));
        offsets.push([
            partition.topic.as_str().into(),
            partition.partition.into(),
            current.into(),
            end.into(),
            lag.into(),
            text(|member| &member.member_id),
            text(|member| &member.host),
            text(|member| &member.client_id),
        ]);
    }
    let members = group.members.len();
    Ok(Description { group: group.group, state: group.state, assignor: group.assignor, members, offsets })
}

/// Where the partitions end. A topic that was deleted since the group read it has no end.
async fn ends<'a>(
    admin: &Admin,
    partitions: impl Iterator<Item = &'a TopicPartition>,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let there = those_that_exist(admin, partitions).await?;
    let found = admin.offsets(&there.into_iter().map(|partition| (partition, OffsetSpec::Latest)).collect()).await?;
    Ok(found.into_iter().filter_map(|(partition, found)| Some((partition, found.offset?))).collect())
}

async fn those_that_exist<'a>(
    admin: &Admin,
    partitions: impl Iterator<Item = &'a TopicPartition>,
) -> Result<BTreeSet<TopicPartition>, Failure> {
    let topics = admin.topics().await?;
    let exists = |partition: &&TopicPartition| {
        let topic = topics.iter().find(|topic| topic.name == partition.topic);
        topic.is_some_and(|topic| topic.leader(partition.partition).is_ok())
    };
    Ok(partitions.filter(exists).cloned().collect())
}

/// These partitions of a topic, or all of them.
async fn partitions_of(admin: &Admin, topic: &str, named: Vec<i32>) -> Result<BTreeSet<TopicPartition>, Failure> {
    let described = admin.topic(topic).await?;
    for &partition in &named {
        described.partition(partition)?;
    }
    let all = || (0..described.partitions.len() as i32).collect();
    let chosen = if named.is_empty() { all() } else { named };
    Ok(chosen.into_iter().map(|index| TopicPartition::new(topic, index)).collect())
}

async fn members(admin: &Admin, group: &str, json: bool) -> Result<(), Failure> {
    let described = admin.group(group).await?;
    let mut table = Table::new(&["MEMBER-ID", "INSTANCE-ID", "CLIENT-ID", "HOST", "EPOCH", "READS", "SHALL-READ"]);
    for member in described.members {
        let target = member.target.as_ref();
        table.push([
            member.member_id.into(),
            member.instance_id.into(),
            member.client_id.into(),
            member.host.into(),
            target.map(|target| target.epoch).into(),
            by_topic(&member.assignment).into(),
            target.map(|target| by_topic(&target.assignment)).into(),
        ]);
    }
    if table.is_empty() && !json {
        eprintln!("group {group} has no members: it is {}", described.state);
        return Ok(());
    }
    table.print(json)
}

/// `orders 0,2; payments 1`.
fn by_topic(partitions: &[TopicPartition]) -> String {
    let mut topics = BTreeMap::<&str, Vec<String>>::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition.to_string());
    }
    let topics: Vec<_> = topics.into_iter().map(|(topic, indexes)| format!("{topic} {}", indexes.join(","))).collect();
    topics.join("; ")
}

async fn delete_offsets(admin: &Admin, group: &str, topic: &str, partitions: &[i32]) -> Result<(), Failure> {
    // The topic itself may be gone.
    let is_meant =
        |at: &TopicPartition| at.topic == topic && (partitions.is_empty() || partitions.contains(&at.partition));
    let committed: Vec<_> = admin.group_offsets(group).await?.into_keys().filter(is_meant).collect();
    if committed.is_empty() {
        return Err(Failure::Other(format!("group {group} has committed nothing there")));
    }
    admin.delete_group_offsets(group, &committed).await?;
    let mut out = io::stdout().lock();
    committed.iter().try_for_each(|partition| Ok(writeln!(out, "deleted: offset of {partition} in group {group}")?))
}

async fn reset(
    admin: &Admin,
    group: &str,
    topic: Option<&str>,
    partitions: Vec<i32>,
    to: &Target,
    execute: bool,
    json: bool,
) -> Result<(), Failure> {
    let members = match admin.group(group).await {
        Ok(described) => described.members.len(),
        // Offsets may be set before the first member comes.
        Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => 0,
        Err(error) => return Err(error.into()),
    };
    if members > 0 {
        let message = format!("group {group} has {members} members, who would go on where they are; stop them first");
        return Err(Failure::Other(message));
    }
    let committed = admin.group_offsets(group).await?;
    let chosen = match topic {
        Some(topic) => partitions_of(admin, topic, partitions).await?,
        None => those_that_exist(admin, committed.keys()).await?,
    };
    let targets = targets(admin, &chosen, &committed, to).await?;
    let mut table = Table::new(&["TOPIC", "PARTITION", "CURRENT-OFFSET", "NEW-OFFSET"]);
    for (partition, new) in &targets {
        let current = committed.get(partition).map(|committed| committed.offset);
        table.push([partition.topic.as_str().into(), partition.partition.into(), current.into(), (*new).into()]);
    }
    if execute {
        let offsets = targets.into_iter().map(|(partition, offset)| {
            (partition, CommittedOffset { offset, leader_epoch: None, metadata: String::new() })
        });
        admin.alter_group_offsets(group, &offsets.collect()).await?;
    }
    table.print(json)?;
    if !execute {
        eprintln!("nothing was changed: add --execute to do it");
    }
    Ok(())
}

/// The new offsets, each within its partition's log.
async fn targets(
    admin: &Admin,
    chosen: &BTreeSet<TopicPartition>,
    committed: &BTreeMap<TopicPartition, CommittedOffset>,
    to: &Target,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let ask = |spec| -> BTreeMap<_, _> { chosen.iter().map(|partition| (partition.clone(), spec)).collect() };
    let starts = admin.offsets(&ask(OffsetSpec::Earliest)).await?;
    let ends = admin.offsets(&ask(OffsetSpec::Latest)).await?;
    let timed = match to.to_datetime.or(to.by_duration) {
        Some(ms) => admin.offsets(&ask(OffsetSpec::Timestamp(ms))).await?,
        None => BTreeMap::new(),
    };
    let mut targets = BTreeMap::new();
    for partition in chosen {
        let offset =
            |found: &BTreeMap<_, ringlog_client::FoundOffset>| found.get(partition).and_then(|found| found.offset);
        let (start, end) = (offset(&starts).unwrap_or(0), offset(&ends).unwrap_or(0));
        let target = match to {
            Target { to_earliest: true, .. } => start,
            Target { to_offset: Some(offset), .. } => *offset,
            // No record from then on: behind the last.
            Target { to_datetime: Some(_), .. } | Target { by_duration: Some(_), .. } => offset(&timed).unwrap_or(end),
            Target { shift_by: Some(by), .. } => match committed.get(partition) {
                Some(committed) => committed.offset.saturating_add(*by),
                // Nothing to count from.
                None => continue,
            },
            _ => end,
        };
        targets.insert(partition.clone(), target.clamp(start, end.max(start)));
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_another_kind_and_those_that_have_gone_are_left_out_of_all() {
        let listed = |kind: &str| GroupListing {
            group: "g".to_owned(),
            protocol_type: String::new(),
            state: String::new(),
            kind: kind.to_owned(),
        };
        for (kind, expected) in
            [("", true), ("classic", true), ("consumer", true), ("share", false), ("streams", false)]
        {
            assert_eq!(is_of_consumers(&listed(kind)), expected, "{kind}");
        }
        let described = |state: &str| GroupDescription {
            group: "g".to_owned(),
            state: state.to_owned(),
            protocol_type: String::new(),
            assignor: String::new(),
            epochs: None,
            members: Vec::new(),
        };
        let refused = |code| ClientError::Broker { code, subject: "group g".to_owned(), message: String::new() };
        for (found, expected) in [
            (Ok(described("Empty")), false),
            (Ok(described("Dead")), true),
            (Err(refused(ErrorCode::GroupIdNotFound)), true),
            (Err(refused(ErrorCode::GroupAuthorizationFailed)), false),
        ] {
            assert_eq!(is_gone(&found), expected, "{found:?}");
        }
    }
}
