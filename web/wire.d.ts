// What the gateway says, as TypeScript. Made from the Rust types of mtom-dashboard by
// `UPDATE_EXPECT=1 cargo test -p mtom-dashboard`: change those, not this file.

/**
 * One frame of `/live`: a snapshot first, then what changes.
 */
export type Frame = { "type": "snapshot", now: string, now_micros: number, readings: Array<Reading>,
/**
 * Of those that say it, in the order of their names.
 */
availability: Array<Availability>, actuators: Array<Actuator>, log: Array<LogLine>, counts: Counts, rules: Array<Rule>, } | { "type": "reading", reading: Reading, } | { "type": "actuator", actuator: Actuator, } | { "type": "availability", availability: Availability, } | { "type": "log", entry: LogLine, } | { "type": "counts", counts: Counts, } | { "type": "lagged", lagged: number, } | { "type": "batch", frames: Array<Frame>, };

/**
 * One reading, as it came, and as temperatures where it is one.
 */
export type Reading = {
/**
 * The journal number: unique, rising in the order of storage. 0: not stored yet, because the disk
 * takes nothing.
 */
id: number, device: string, quantity: string, topic: string, value: number,
/**
 * `°C`, `%`, …; empty for a plain number.
 */
unit: string, celsius: number | null, fahrenheit: number | null,
/**
 * The time it counts for.
 */
at: string, at_micros: number,
/**
 * When it reached the gateway.
 */
arrived_at: string, arrived_at_micros: number,
/**
 * When the device says it measured.
 */
taken_at: string | null, taken_at_micros: number | null,
/**
 * The device sent a time that cannot be true, so `at` is the arrival.
 */
suspect: boolean,
/**
 * The device's own count, where it sends one.
 */
boot: string | null, seq: number | null, };

/**
 * Whether a device is there, as it says itself, or its last will or what it is reached through.
 */
export type Availability = { device: string, available: boolean,
/**
 * Since when.
 */
since: string, since_micros: number,
/**
 * It was so before anybody could hear it: `since` is when that was learnt.
 */
since_latest: boolean, };

/**
 * One actuator: what it should be, what it was told, what it says it is.
 */
export type Actuator = { name: string, link: string, link_state: LinkWord,
/**
 * Why the link is so, or while the device is tried again why the last try came to nothing; empty where
 * there is nothing to say.
 */
link_reason: string, link_since: string, link_since_micros: number,
/**
 * Since when the link is not up, over every try since then; null: it is up.
 */
link_down_since: string | null, link_down_since_micros: number | null, simulated: boolean,
/**
 * What the rules want.
 */
desired: Desired | null,
/**
 * What the device says it is; null for an original device, which never answers.
 */
reported: State | null,
/**
 * The newest command that was written to the link.
 */
sent: State | null,
/**
 * The device's own name and firmware; null until it has said them.
 */
firmware: string | null,
/**
 * Whether the device proves what it says; null: it has a key and was not heard yet.
 */
trust: TrustWord | null,
/**
 * From the decision to the device's answer.
 */
latency_micros: number | null, };

/**
 * A desired state and where it comes from.
 */
export type Desired = { led: LedState, number: number, at: string, at_micros: number, rule: string, cause: string, };

/**
 * A state that was told, by us or by the device.
 */
export type State = { led: LedState,
/**
 * The command it belongs to; 0 before the first.
 */
number: number, at: string, at_micros: number, };

/**
 * `on` or `off`.
 */
export type LedState = "on" | "off";

/**
 * The state of a link.
 */
export type LinkWord = "away" | "searching" | "connecting" | "up" | "broken";

/**
 * Whether a device proves what it says.
 */
export type TrustWord = "authenticated" | "unauthenticated" | "wrong key";

/**
 * One line of the communication log.
 */
export type LogLine = {
/**
 * Rises by one.
 */
id: number, at: string, at_micros: number,
/**
 * Where on the path: `broker`, `gateway`, `forward`, `rules` or `actuator`.
 */
hop: string,
/**
 * The English sentence.
 */
text: string, event: LogEvent, };

/**
 * `GET /api/v1/log`: the newest lines of the communication log, oldest first.
 */
export type Log = { log: Array<LogLine>, };

/**
 * What was said on the path; `kind` tells which.
 */
export type LogEvent = { "kind": "broker_connected", url: string, } | { "kind": "broker_lost", url: string, reason: string, } | { "kind": "broker_forgot", url: string, } | { "kind": "stored", id: number, device: string, quantity: string, value: number, unit: string, } | { "kind": "duplicate", seq: number, device: string, quantity: string, } | { "kind": "rejected", topic: string, code: string, reason: string, } | { "kind": "ignored", topic: string, } | { "kind": "viewers", port: string, count: number, } | { "kind": "device_online", device: string, } | { "kind": "device_offline", device: string, } | { "kind": "decided", rule: string, actuator: string, led: LedState, cause: string, } | { "kind": "sent", actuator: string, number: number, led: LedState, } | { "kind": "applied", actuator: string, number: number, led: LedState, latency_micros: number, } | { "kind": "link", actuator: string, state: LinkWord, reason: string, } | { "kind": "refused", actuator: string, number: number, reason: string, } | { "kind": "drifted", actuator: string, number: number, led: LedState, adopted: boolean, } | { "kind": "noise", actuator: string, lines: number, } | { "kind": "forged", actuator: string, lines: number, } | { "kind": "skipped", count: number, } | { "kind": "rules_applied", version: number, count: number, source: string, } | { "kind": "rules_refused", version: number, reason: string, } | { "kind": "alert_delivered", id: number, rule: string, target: string, latency_micros: number, } | { "kind": "alert_failed", id: number, rule: string, target: string, reason: string, } | { "kind": "alert_given_up", id: number, rule: string, target: string, reason: string, };

/**
 * The account: received = stored + duplicate + rejected + in flight, always.
 */
export type Counts = { received: number, stored: number, duplicate: number, rejected: number, in_flight: number,
/**
 * Messages on topics that nobody listens to.
 */
ignored: number, };

/**
 * `GET /api/v1/status`
 */
export type Status = { version: string, started_at: string, started_at_micros: number,
/**
 * The gateway's clock.
 */
now: string, now_micros: number,
/**
 * Of the gateway's computer.
 */
zone: Zone, listens: Listens,
/**
 * Addresses of the broker for other computers, the likeliest first; empty: this one alone reaches it.
 */
reach: Array<string>,
/**
 * What is unsafe about this installation, in words; null: nothing.
 */
insecure: string | null,
/**
 * Simulated devices take part.
 */
simulated: boolean, };

/**
 * A zone of time, as it is now.
 */
export type Zone = {
/**
 * `Asia/Shanghai`; null: only the offset is known.
 */
name: string | null,
/**
 * What its clocks show more than UTC.
 */
offset_seconds: number, };

/**
 * Where things listen, `host:port`; empty where nothing does.
 */
export type Listens = { mqtt: string, live: string, history: string,
/**
 * Every reading as a line of JSON.
 */
tcp: string,
/**
 * A datagram of JSON for each reading.
 */
udp: string, dashboard: string, };

/**
 * `GET /api/v1/rules`
 */
export type Rules = { rules: Array<Rule>,
/**
 * The same as they were written; null: the journal has none.
 */
version: RuleSet | null,
/**
 * When other rules took their place; null: they run.
 */
until: string | null, until_micros: number | null, };

/**
 * A rule in the words of its configuration.
 */
export type Rule = { name: string,
/**
 * The topic filter of the readings that it looks at.
 */
when: string,
/**
 * The expression that wishes the actuators on.
 */
on: string,
/**
 * The expression that wishes them off; null: the negation of `on`.
 */
off: string | null, actuators: Array<string>, };

/**
 * `GET /api/v1/latest`: the newest reading of each series.
 */
export type Latest = { readings: Array<Reading>, };

/**
 * `GET /api/v1/readings`
 */
export type ReadingPage = { readings: Array<Reading>,
/**
 * The `after` of the next page; null: this is the last.
 */
next: string | null, };

/**
 * `GET /api/v1/actuators`
 */
export type Actuators = { actuators: Array<Actuator>, };

/**
 * `GET /api/v1/actuators/{name}/pair`
 */
export type Pairing = { state: PairingWord,
/**
 * Six digits: those that the device should show (`compare`), or that are to be typed there (`show`).
 */
number: string | null,
/**
 * The device that is paired, as a link has it: `ble:C6:55:44:33:22:11`.
 */
link: string | null,
/**
 * Why it is not paired, with the next step.
 */
reason: string | null, };

/**
 * How a pairing stands. `passkey`: the six digits that the device shows are wanted.
 */
export type PairingWord = "never" | "begun" | "searching" | "connecting" | "passkey" | "compare" | "show" | "paired" | "failed";

/**
 * `GET /api/v1/actuators/scan`: the strongest first.
 */
export type Reach = { devices: Array<InReach>, };

/**
 * A device in reach.
 */
export type InReach = {
/**
 * What to write to drive it: `ble:C6:55:44:33:22:11`.
 */
link: string,
/**
 * What it calls itself; null until it has said so.
 */
name: string | null, kind: BluetoothKind,
/**
 * In dBm; null while it is not heard.
 */
signal_dbm: number | null,
/**
 * It offers what a link needs; null: it does not say.
 */
has_service: boolean | null, };

/**
 * Which Bluetooth a device speaks: `le` is driven by `ble:`, `classic` by `spp:`.
 */
export type BluetoothKind = "le" | "classic";

/**
 * `GET /api/v1/rejects`
 */
export type Rejects = { rejects: Array<Reject>,
/**
 * The `after` of the next page; null: this is the last. A page may be short, and even empty, and not be
 * the last: there is an end to what is looked through at a time.
 */
next: number | null, };

/**
 * Something that was no reading.
 */
export type Reject = { id: number, topic: string,
/**
 * The beginning of the payload; bytes that are no UTF-8 are shown as U+FFFD.
 */
payload_head: string, payload_len: number,
/**
 * One stable word for the reason.
 */
code: string, reason: string, at: string, at_micros: number, };

/**
 * `GET /api/v1/commands`, newest first.
 */
export type Commands = { commands: Array<Command>,
/**
 * The `before` of the next page; null: this is the last.
 */
next: number | null, };

/**
 * One row of the ledger: reading → rule → command → sent → acknowledged.
 */
export type Command = { number: number, actuator: string, led: LedState, rule: string,
/**
 * What the rule said: 16 hexadecimal digits; null where no rule decided.
 */
rule_version: string | null,
/**
 * The condition with the values of the reading; null where none decided.
 */
condition: string | null,
/**
 * The journal number of the reading that led to it; null when time or a restart did.
 */
reading: number | null, cause: string, decided_at: string, decided_at_micros: number, sent_at: string | null, sent_at_micros: number | null, applied_at: string | null, applied_at_micros: number | null, refused_at: string | null, refused_at_micros: number | null, refused_reason: string | null, };

/**
 * `GET /api/v1/why`: why an actuator is to be as it is.
 */
export type Why = { command: Command,
/**
 * The reading that led to it; null when none did, or when it is no longer kept.
 */
reading: Reading | null, };

/**
 * `GET /api/v1/alerts`
 */
export type Alerts = { alerts: Array<Alert>,
/**
 * The `after` of the next page; null: this is the last.
 */
next: number | null, };

/**
 * A message of a rule and what has become of it.
 */
export type Alert = {
/**
 * Rising; a receiver finds it in `X-Mtom-Alert`.
 */
id: number, rule: string,
/**
 * What that rule said: 16 hexadecimal digits.
 */
rule_version: string,
/**
 * `publish` or `webhook`.
 */
kind: string,
/**
 * The topic, or the server of the URL without what may be secret.
 */
target: string,
/**
 * `on`: an episode begins; `off`: it ends.
 */
led: LedState,
/**
 * The beginning of what it says.
 */
body_head: string, body_len: number,
/**
 * The journal number of the reading that led to it; null when time did.
 */
reading: number | null, cause: string, raised_at: string, raised_at_micros: number,
/**
 * How often it was tried.
 */
tries: number,
/**
 * When it is tried again; null when nobody tries any more, or nobody has tried yet.
 */
next_try_at: string | null, next_try_at_micros: number | null, delivered_at: string | null, delivered_at_micros: number | null, given_up_at: string | null, given_up_at_micros: number | null,
/**
 * Why the last try failed that did.
 */
last_error: string | null, };

/**
 * `GET /api/v1/chart`: a stretch of one series in few points.
 */
export type Chart = {
/**
 * `°C`, `%`, …; empty for a plain number, and where there is no such series.
 */
unit: string,
/**
 * What the points are made of: `raw`, `minute`, `hour` or `day`.
 */
level: string,
/**
 * How wide the span of a point is; 0: each is a reading.
 */
width_micros: number, points: Array<ChartPoint>,
/**
 * From the point before to the point behind, where readings are missing.
 */
gaps: Array<Gap>, };

/**
 * What the readings of a span have in common.
 */
export type ChartPoint = { at_micros: number,
/**
 * The reading's number where the point is a single one.
 */
id: number | null, count: number, min: number, max: number, mean: number, last: number, };

/**
 * A stretch without readings.
 */
export type Gap = { from_micros: number, until_micros: number, };

/**
 * `GET /api/v1/storage`: how much is kept, and whether the other database has it.
 */
export type Storage = {
/**
 * Readings in the journal; older ones may have been deleted by the retention.
 */
readings: number,
/**
 * Bytes of the journal and its log.
 */
journal_len: number,
/**
 * null: the journal is all there is.
 */
database: Database | null, };

/**
 * The other database.
 */
export type Database = {
/**
 * `starting`, `connected` or `away`.
 */
state: string,
/**
 * Why it is away; empty when it is not.
 */
reason: string, since: string | null, since_micros: number | null,
/**
 * It has every reading up to this number; null until it has said so.
 */
drained: number | null,
/**
 * The newest reading's number.
 */
newest: number,
/**
 * Readings that it lacks.
 */
backlog: number,
/**
 * How old the oldest of them is.
 */
backlog_age_micros: number, rows_per_second: number,
/**
 * How often it went away since the start.
 */
outages: number, warnings: Array<string>, };

/**
 * `GET /api/v1/rules/versions`: the newest one runs.
 */
export type RuleSets = { versions: Array<RuleSet>,
/**
 * The `after` of the next page; null: this is the last.
 */
next: number | null, };

/**
 * A version of the rules.
 */
export type RuleSet = { version: number, applied_at: string, applied_at_micros: number,
/**
 * Who brought it.
 */
source: string,
/**
 * TOML.
 */
text: string, };

/**
 * `PUT /api/v1/rules` and `POST /api/v1/rules/rollback`
 */
export type Applied = {
/**
 * The version that runs now; null when it was only looked at.
 */
version: number | null, };

/**
 * `type` is left out, which means `about:blank`: the status says what kind it is.
 */
export type Problem = { title: string, status: number, detail: string,
/**
 * The next step.
 */
next: string,
/**
 * What is wrong with the rules that were sent; left out where it is not about rules.
 */
mistakes?: Array<RuleMistake>, };

/**
 * One thing that is wrong with a text of rules.
 */
export type RuleMistake = {
/**
 * null: it stands nowhere in the text.
 */
place: TextPlace | null, message: string, };

/**
 * The word that is meant; lines and columns from 1, columns and lengths in characters.
 */
export type TextPlace = { line: number, column: number, length: number, };

/**
 * `GET /api/v1/devices`, in the order of their names.
 */
export type Devices = { devices: Array<Device>, };

/**
 * `GET /api/v1/clients`
 */
export type Clients = {
/**
 * Who of other computers is let in: `everyone`, `allowed` ones, or `external`: another broker decides. Of its
 * clients those are known that speak about themselves below `mtom/<id>/`.
 */
admission: string,
/**
 * Those that are connected first, then those that left last; so many at most.
 */
clients: Array<Client>,
/**
 * How many there are.
 */
clients_count: number,
/**
 * Who was not let in; who knocked last comes first.
 */
refused: Array<Refused>,
/**
 * How often somebody was not let in since the start.
 */
refused_count: number,
/**
 * Names that may come from other computers, in order.
 */
allowed: Array<string>, };

/**
 * Somebody who is or was connected.
 */
export type Client = {
/**
 * Its MQTT client id.
 */
name: string, address: string | null, connected_at: string, connected_at_micros: number,
/**
 * When it left; null: it is connected.
 */
left_at: string | null, left_at_micros: number | null,
/**
 * It left without a word: its connection was lost.
 */
lost: boolean,
/**
 * It had left before anybody could see it: `left_at` is when that was learnt.
 */
left_at_latest: boolean,
/**
 * The readings' topics on which it published, the newest last; a few.
 */
topics: Array<string>, };

/**
 * Somebody who was not let in.
 */
export type Refused = {
/**
 * The MQTT client id that it said.
 */
name: string, address: string | null,
/**
 * When it last knocked.
 */
at: string, at_micros: number,
/**
 * How often.
 */
count: number,
/**
 * `not_allowed`: nobody has allowed its name. `name_too_long`: that cannot be allowed.
 */
reason: string, };

/**
 * `GET /api/v1/controllers`
 */
export type Controllers = {
/**
 * Those that are connected, or were within the last minute: so long their actuators stay theirs.
 */
controllers: Array<Controller>, };

/**
 * A second computer that drives actuators by the readings of this gateway.
 */
export type Controller = {
/**
 * What it calls itself.
 */
name: string,
/**
 * What tells it from others of that name, as long as the gateway runs.
 */
id: number,
/**
 * Its IP address.
 */
address: string,
/**
 * What it drives; no other controller may.
 */
actuators: Array<string>, since: string, since_micros: number,
/**
 * Since when it is away; null: it is connected.
 */
away_since: string | null, away_since_micros: number | null, };

/**
 * `GET /api/v1/homeassistant`
 */
export type HomeAssistant = {
/**
 * It is told of our sensors and actuators. Otherwise nothing below means anything.
 */
announce: boolean,
/**
 * The name of this gateway there: what stands behind `mtom/` in its topics.
 */
name: string, connection: HomeAssistantConnection,
/**
 * Why the connection is down, where one was tried.
 */
reason: string | null,
/**
 * Filters that the broker does not let us hear.
 */
not_heard: Array<string>,
/**
 * Why the broker has not taken what it was told last; null: it has.
 */
not_taken: string | null,
/**
 * What Home Assistant has said of itself on this connection; null: nothing.
 */
home: HomeAssistantWord | null,
/**
 * Devices with sensors that it is told of.
 */
devices: number, sensors: number,
/**
 * Actuators that it is told of.
 */
switches: number,
/**
 * Its commands that were done since the start.
 */
obeyed: number,
/**
 * Those that were not: no commands, kept ones, late ones, and those for what is not there.
 */
refused: number,
/**
 * Topics of discovered devices over which the broker closes the connection: they are not heard until the next
 * start.
 */
set_aside: Array<string>,
/**
 * The broker where Home Assistant was told before `broker.url` was changed; null: it was not changed at this
 * start.
 */
left: LeftBehind | null, };

/**
 * How it is told.
 */
export type HomeAssistantConnection = "own" | "up" | "down";

/**
 * What Home Assistant says of itself.
 */
export type HomeAssistantWord = "online" | "offline";

/**
 * What an earlier broker still keeps of this gateway, where it is another one than that of now.
 */
export type LeftBehind = {
/**
 * Its URL, without user and password.
 */
broker: string,
/**
 * So many topics it was to keep.
 */
topics: number,
/**
 * What takes them back, in the data folder.
 */
command: string, };

/**
 * `GET /api/v1/discovered`
 */
export type DiscoveredThings = {
/**
 * Where configs are listened to, as in `homeassistant`; null: nowhere.
 */
prefix: string | null, counts: DiscoveredCounts,
/**
 * Sensors, switches, and what is not understood, in the order in which their configs came.
 */
things: Array<DiscoveredThing>, };

/**
 * How many things there are.
 */
export type DiscoveredCounts = { configs: number,
/**
 * Their readings come by themselves.
 */
sensors: number,
/**
 * They can be actuators.
 */
switches: number,
/**
 * Understood, and not read for another reason.
 */
not_read: number, not_understood: number,
/**
 * Neither sensors nor switches; they are not listed.
 */
others: number,
/**
 * Configs that were not taken since the start, because there are too many.
 */
refused: number, };

/**
 * One thing of a device.
 */
export type DiscoveredThing = {
/**
 * The device, as its readings have it.
 */
device: string,
/**
 * Its key in the config.
 */
key: string,
/**
 * `sensor`, `switch`, `light`, …
 */
platform: string,
/**
 * The topic of the config.
 */
config: string,
/**
 * Which program has written the config.
 */
origin: string | null, standing: DiscoveredStanding,
/**
 * Where its messages come, of a sensor.
 */
topic: string | null,
/**
 * What its readings are called.
 */
quantity: string | null,
/**
 * What they count; empty: a plain number.
 */
unit: string | null,
/**
 * The link of an actuator that is this switch, as `[[actuator]]` has it.
 */
link: string | null,
/**
 * Why it is not read or not understood: one stable word.
 */
code: string | null,
/**
 * The same as a sentence.
 */
reason: string | null, };

/**
 * What a thing is here.
 */
export type DiscoveredStanding = "read" | "named" | "switch" | "not_read" | "not_understood";

/**
 * `GET /api/v1/path`. Rates are over the last minute, latencies those of the newest that passed; null:
 * none did, or it cannot be known.
 */
export type Path = {
/**
 * Readings that reached the gateway.
 */
received_per_minute: number,
/**
 * Readings that were stored.
 */
stored_per_minute: number,
/**
 * Decisions of rules and persons.
 */
decided_per_minute: number,
/**
 * Commands that devices said they obeyed.
 */
applied_per_minute: number,
/**
 * From the device's own time to ours; clocks differ, so it can be wrong by as much.
 */
taken_to_arrived_micros: number | null,
/**
 * From the arrival to the disk.
 */
arrived_to_stored_micros: number | null,
/**
 * From the arrival to the decision.
 */
arrived_to_decided_micros: number | null,
/**
 * From the decision to the device's answer.
 */
decided_to_applied_micros: number | null,
/**
 * The external broker is away; null: it is not, or there is none.
 */
broker_lost: BrokerLost | null,
/**
 * How often an external broker had forgotten our session, and what it had queued for us, since the start.
 */
broker_sessions_lost: number,
/**
 * Since when nothing can be stored; null: the disk takes readings.
 */
failing_since: string | null, failing_since_micros: number | null,
/**
 * The rules that were applied last could not be used at the start; null: they run.
 */
rules_refused: RulesRefused | null,
/**
 * A rule understands none of the readings that it gets, for so long that it is no accident; null: none is so.
 */
rules_blind: RulesBlind | null,
/**
 * An alert was tried and not taken; null: none was.
 */
alerts_stuck: AlertsStuck | null, };

/**
 * An external broker that is away.
 */
export type BrokerLost = { url: string, since: string, since_micros: number,
/**
 * Why the last try came to nothing.
 */
reason: string, };

/**
 * Rules in whose place others run.
 */
export type RulesRefused = { version: number, since: string, since_micros: number,
/**
 * What is wrong with them.
 */
reason: string, };

/**
 * Rules that cannot be evaluated.
 */
export type RulesBlind = {
/**
 * The one that is so longest.
 */
rule: string, since: string, since_micros: number,
/**
 * How many others are so.
 */
more: number, };

/**
 * Alerts that do not get to where they go.
 */
export type AlertsStuck = {
/**
 * How many wait, for whatever reason.
 */
waiting: number,
/**
 * Of the oldest that was tried: its rule, the topic or the server, and since when it is raised.
 */
rule: string, target: string, since: string, since_micros: number,
/**
 * Why the last try failed.
 */
reason: string, };

/**
 * `GET /api/v1/simulator`
 */
export type Simulated = {
/**
 * Where the sensor publishes that can be held; null: none is simulated.
 */
topic: string | null,
/**
 * What somebody holds it at; null: it measures its own weather.
 */
celsius: number | null, };

/**
 * Whoever sends readings.
 */
export type Device = { name: string,
/**
 * When its last reading reached the gateway.
 */
heard_at: string, heard_at_micros: number,
/**
 * Whether it is there; null: nobody has said that, so it is known by its readings alone.
 */
availability: Availability | null,
/**
 * The newest reading of each of its series.
 */
readings: Array<Reading>, };

/**
 * `GET /api/v1/series`, in the order of device and quantity.
 */
export type SeriesList = { series: Array<Series>, };

/**
 * One quantity of one device: what a chart or a page of the history is asked about.
 */
export type Series = { device: string, quantity: string,
/**
 * Of its newest reading: `°C`, `%`, …; empty for a plain number.
 */
unit: string,
/**
 * Where its newest reading came from.
 */
topic: string,
/**
 * The time that its newest reading counts for.
 */
last_at: string, last_at_micros: number, };

/**
 * `GET /api/v1/rules/state`
 */
export type RuleStates = {
/**
 * The gateway's clock, by which all of this is.
 */
now: string, now_micros: number,
/**
 * In the order of the file.
 */
rules: Array<RuleState>,
/**
 * All rules, not only those of this page.
 */
totals: RuleTotals,
/**
 * At most `limit` of those that wait or that a person has a word about; those that are due first.
 */
actuators: Array<ActuatorState>,
/**
 * How many of them there are.
 */
actuators_len: number,
/**
 * The `after` of the next page of rules; null: this is the last.
 */
next: number | null, };

/**
 * How many rules want what.
 */
export type RuleTotals = { on: number, off: number, unknown: number, };

/**
 * How one rule is.
 */
export type RuleState = { name: string,
/**
 * What it wants; `unknown`: it has decided nothing yet, or its schedule is not in force.
 */
state: StateWord,
/**
 * Since when it wants that; null where it is unknown.
 */
since: string | null, since_micros: number | null,
/**
 * The journal number of the reading that this rests on; null: it rests on none.
 */
reading: number | null,
/**
 * The condition that was true, with its values; empty where none is known.
 */
condition: string,
/**
 * No reading came for its `max_age`.
 */
silent: boolean,
/**
 * Its schedule is in force, or it has none.
 */
in_force: boolean,
/**
 * Since when it knows nothing of what it reads; null: it does, or reads nothing.
 */
blind_since: string | null, blind_since_micros: number | null,
/**
 * What it waits for, the earliest first.
 */
pending: Array<PendingTimer>, };

/**
 * What a rule wants.
 */
export type StateWord = "on" | "off" | "unknown";

/**
 * An actuator that waits, or that a person has a word about.
 */
export type ActuatorState = { name: string,
/**
 * What a person said that it is to be; `unknown`: nobody did, the rules speak.
 */
manual: StateWord,
/**
 * What it waits for; null: until a person says `auto`.
 */
pending: PendingTimer | null, };

/**
 * A time that runs out, unless a reading or a person changes it before.
 */
export type PendingTimer = {
/**
 * Which: the key of the rule, or `override` for a person's word. After `for` there may be a `dwell`.
 */
timer: "for" | "dwell" | "max_age" | "schedule" | "override",
/**
 * What is done then: it is or stays `on` or `off`, stays as it is (`hold`), or a schedule begins (`begin`).
 */
does: "on" | "off" | "hold" | "begin", at: string, at_micros: number, };

/**
 * `POST /api/v1/rules/test`: the cases beside the rules, in their order.
 */
export type RuleCases = { cases: Array<RuleCase>, };

/**
 * One `[[rule.test]]` and what came of it.
 */
export type RuleCase = { rule: string, name: string,
/**
 * The line of the text that it begins in, from 1.
 */
line: number, passed: boolean,
/**
 * What was not as expected, a sentence each.
 */
failures: Array<string>,
/**
 * The same on one axis of time: lines for a font of one width.
 */
picture: Array<string>, };

/**
 * One line of `POST /api/v1/rules/replay`: how far it is, then how it ended.
 */
export type ReplayLine = { "progress": ReplayProgress } | { "comparison": Comparison } | { "problem": Problem };

/**
 * How far it is, and of how much.
 */
export type ReplayProgress = { done: number, of: number, };

/**
 * What really was decided beside what the new rules would have.
 */
export type Comparison = { from: string, from_micros: number, until: string, until_micros: number,
/**
 * How many readings were read.
 */
readings: number,
/**
 * How long it took.
 */
seconds: number,
/**
 * Commands that only the old rules gave.
 */
only_old: number,
/**
 * Commands that only the new rules would have given.
 */
only_new: number, actuators: Array<ComparedActuator>,
/**
 * The first differences; the two counts have all.
 */
differences: Array<CommandDifference>,
/**
 * Actuators that were commanded and that no new rule drives.
 */
not_compared: Array<string>, };

/**
 * One actuator over the stretch.
 */
export type ComparedActuator = { name: string, old: Band, new: Band, };

/**
 * One side of an actuator.
 */
export type Band = { switches: number, on_seconds: number,
/**
 * Parts of equal length: the share of the time that it was on; null: nothing was decided yet.
 */
shares: Array<number | null>, };

/**
 * A command that only one side has.
 */
export type CommandDifference = { only: Side, at: string, at_micros: number, actuator: string, led: LedState, rule: string,
/**
 * The journal number of the reading that led to it.
 */
reading: number | null, cause: string, };

/**
 * Which side.
 */
export type Side = "old" | "new";
