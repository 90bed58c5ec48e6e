// kafkajs against the broker whose address is the first argument: one line per check, status 1 at the first failure.
'use strict'
const { isDeepStrictEqual } = require('node:util')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')

// kafkajs knows gzip; its users bring the other codecs.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4.compressFrame(encoder.buffer),
  decompress: async buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, 3)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

const PARTITIONS = 6
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }
const unique = what => `interop-kafkajs-${what}-${process.pid}-${Date.now() % 1e9}`
const records = codec => [...Array(60).keys()].map(i => ({ key: `${codec}-${i}`, value: `${codec} record ${i} `.repeat(8), headers: { codec } }))
const partitionNumbers = [...Array(PARTITIONS).keys()]

function check(what, got, wanted) {
  if (!isDeepStrictEqual(got, wanted)) throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`)
  console.log(`ok: ${what}`)
}

async function waitUntil(what, condition) {
  for (const end = Date.now() + 40_000; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`${what}: not within 40 s`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  console.log(`ok: ${what}`)
}

async function main() {
  await zstd.init()
  const kafka = new Kafka({ brokers: [process.argv[2]], clientId: 'interop', logLevel: logLevel.NOTHING })
  const [topic, clock, groupId] = ['topic', 'clock', 'group'].map(unique)
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS - 2, configEntries: [{ name: 'retention.ms', value: '-1' }] }, { topic: clock }] })
  await admin.createPartitions({ topicPartitions: [{ topic, count: PARTITIONS }] })
  const described = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]
  await waitUntil('a created topic has the partitions that were added', async () => (await described()).partitions.length === PARTITIONS)
  const configs = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }] })
  check('its configuration is described', configs.resources[0].configEntries.map(e => e.configValue), ['-1'])

  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const [codec, compression] of Object.entries(CODECS)) {
    const acks = await producer.send({ topic, compression, messages: records(codec) })
    check(`${codec}: every record is acknowledged`, acks.every(a => a.errorCode === 0), true)
  }

  const expected = new Map(Object.keys(CODECS).flatMap(records).map(r => [r.key, r.value]))
  const seen = new Map()
  const newMember = async () => {
    const consumer = kafka.consumer({ groupId, heartbeatInterval: 300, sessionTimeout: 10_000, rebalanceTimeout: 10_000, maxWaitTimeInMs: 100 })
    const member = { consumer, assigned: [], values: [] }
    consumer.on(consumer.events.GROUP_JOIN, event => { member.assigned = event.payload.memberAssignment[topic] ?? [] })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        if (message.key) {
          if (String(message.headers.codec) !== String(message.key).split('-')[0]) throw new Error(`headers of ${message.key}`)
          seen.set(String(message.key), String(message.value))
        }
        member.values.push(String(message.value))
      },
    })
    return member
  }
  const share = (...members) => {
    const held = members.flatMap(m => m.assigned)
    return members.every(m => m.assigned.length === PARTITIONS / members.length) && new Set(held).size === PARTITIONS
  }
  const first = await newMember()
  const second = await newMember()
  await waitUntil('two members share six partitions', () => share(first, second))
  const third = await newMember()
  await waitUntil('a third joins and each has two', () => share(first, second, third))
  await second.consumer.disconnect()
  await waitUntil('one leaves and the others have three each', () => share(first, third))
  await waitUntil('the group has seen every record', () => seen.size === expected.size)
  check('keys and values came back as they were produced, whatever the codec', [...expected].filter(([k, v]) => seen.get(k) !== v), [])

  const ends = async () => Object.fromEntries((await admin.fetchTopicOffsets(topic)).map(o => [o.partition, Number(o.offset)]))
  const lag = async () => {
    const end = await ends()
    const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return partitions.reduce((sum, p) => sum + end[p.partition] - Math.max(Number(p.offset), 0), 0)
  }
  await waitUntil('the group commits all it saw: no lag', async () => (await lag()) === 0)
  await Promise.all([first, third].map(m => m.consumer.disconnect()))
  await producer.send({ topic, messages: partitionNumbers.map(partition => ({ partition, value: 'later' })) })
  check('the group lags by what came later', await lag(), PARTITIONS)
  const again = await newMember()
  await waitUntil('the group resumes', () => again.values.length >= PARTITIONS)
  check('exactly where it had committed', again.values, Array(PARTITIONS).fill('later'))
  const group = (await admin.describeGroups([groupId])).groups[0]
  check('the group is stable with one member', [group.state, group.members.length], ['Stable', 1])
  await again.consumer.disconnect()

  await producer.send({ topic: clock, messages: [...Array(10).keys()].map(i => ({ value: 'tick', timestamp: String(1_000_000 + 100 * i) })) })
  check('a timestamp finds the first record not before it', (await admin.fetchTopicOffsetsByTimestamp(clock, 1_000_350))[0].offset, '4')
  check('a timestamp after the last record finds the end', (await admin.fetchTopicOffsetsByTimestamp(clock, 2_000_000))[0].offset, '10')
  await admin.deleteTopicRecords({ topic: clock, partitions: [{ partition: 0, offset: '4' }] })
  check('records before an offset are deleted', (await admin.fetchTopicOffsets(clock))[0].low, '4')

  await admin.deleteGroups([groupId])
  check('a deleted group is not listed', (await admin.listGroups()).groups.some(g => g.groupId === groupId), false)
  await admin.deleteTopics({ topics: [topic, clock] })
  await waitUntil('deleted topics are gone', async () => !(await admin.listTopics()).some(t => t === topic || t === clock))
  await Promise.all([producer.disconnect(), admin.disconnect()])
}

main().then(() => process.exit(0), error => {
  console.error(`FAILED: ${error.stack}`)
  process.exit(1)
})
