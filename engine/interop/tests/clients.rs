//! Each client walks through the course: topics, every codec, a group of three, commit, resume, time look-up, lag.

use ringlog_interop::walk;

#[test]
fn kcat_walks_the_course() {
    walk("kcat");
}

#[test]
fn the_java_client_walks_the_course() {
    walk("java");
}

#[test]
fn the_tools_of_apache_kafka_walk_the_course_and_read_our_files() {
    walk("kafka-tools");
}

#[test]
fn franz_go_walks_the_course() {
    walk("franz-go");
}

#[test]
fn kafka_go_walks_the_course() {
    walk("kafka-go");
}

#[test]
fn kafka_python_walks_the_course() {
    walk("kafka-python");
}

#[test]
fn confluent_kafka_python_walks_the_course() {
    walk("confluent");
}

#[test]
fn kafkajs_walks_the_course() {
    walk("kafkajs");
}
