import Foundation
import JobModel
import StrictJSON
import Testing

@Suite struct SlurmRequestTests {
  @Test(
    "Times are read as Slurm reads them",
    arguments: [
      ("90", 5400), ("90:30", 5430), ("1:00:00", 3600), ("2-12", 216_000), ("1-00:30", 88_200), ("1-01:01:01", 90_061), ("0-00:00:01", 1),
    ])
  func times(text: String, seconds: Int) {
    #expect(SlurmTime(text)?.seconds == seconds)
    #expect(SlurmTime(text)?.description == text)
  }

  @Test(
    "What is no time is none",
    arguments: [
      "", "0", "-", "1-", "-1", "1-2-3", "1:2:3:4", "1-1:1:1:1", ":", "1:", "a", "1h", "+1", "１", "999999999", "99999999-0", "5000-0", " 1",
      "INFINITE",
      "UNLIMITED", "1\u{0}",
    ])
  func noTimes(text: String) { #expect(SlurmTime(text) == nil) }

  @Test(
    "Sizes are read in bytes or binary units",
    arguments: [("1024", 1024, "1KiB"), ("8GiB", 8 << 30, "8GiB"), ("1500mib", 1500 << 20, "1500MiB"), ("3", 3, "3"), ("0", 0, "0")])
  func sizes(text: String, bytes: Int, written: String) {
    #expect(ByteSize(text)?.bytes == bytes)
    #expect(ByteSize(text)?.description == written)
  }

  @Test(
    "What is no size is none", arguments: ["", "GiB", "8GB", "8 GiB", "-1", "1.5GiB", "9223372036854775808", "9007199254740992KiB", "８"])
  func noSizes(text: String) { #expect(ByteSize(text) == nil) }

  private func request(_ members: String) throws(Problem) -> JobRequest {
    let text = #"{"model": "m", "calibration": {"dataset": "d"}, \#(members)}"#
    guard let json = try? JSONValue(parsing: Array(text.utf8)) else { throw Problem.invalidRequest([]) }
    return try JobRequest(parsing: json)
  }

  @Test("What a job asks of a cluster comes through, and survives being stored")
  func parsing() throws {
    let asked = try request(
      #""nodes": 4, "slurm": {"partition": "p", "cpus": 8, "memory": "64GiB", "time": "12:00:00", "constraint": "avx512&(a|b)"}"#)
    #expect(asked.nodes == 4 && asked.slurm?.cpus == 8 && asked.slurm?.memory?.bytes == 64 << 30 && asked.slurm?.time?.seconds == 43_200)
    #expect(try APICoding.decode(JobRequest.self, from: APICoding.encode(asked)) == asked)
    let none = try request(#""nodes": null, "slurm": null"#)
    #expect(none.nodes == nil && none.slurm == nil)
  }

  @Test(
    "What is wrong is named by its pointer",
    arguments: [
      (#""nodes": 0"#, "/nodes"), (#""nodes": 1025"#, "/nodes"), (#""nodes": "2""#, "/nodes"), (#""slurm": []"#, "/slurm"),
      (#""slurm": {"partition": "-x"}"#, "/slurm/partition"), (#""slurm": {"partition": "a b"}"#, "/slurm/partition"),
      (#""slurm": {"partition": "../x"}"#, "/slurm/partition"), (#""slurm": {"cpus": 0}"#, "/slurm/cpus"),
      (#""slurm": {"memory": 5}"#, "/slurm/memory"), (#""slurm": {"memory": "5GB"}"#, "/slurm/memory"),
      (#""slurm": {"memory": "0GiB"}"#, "/slurm/memory"),
      (#""slurm": {"time": "soon"}"#, "/slurm/time"), (#""slurm": {"constraint": "-a"}"#, "/slurm/constraint"),
      (#""slurm": {"constraint": "a;b"}"#, "/slurm/constraint"), (#""slurm": {"constraint": "$(x)"}"#, "/slurm/constraint"),
      (#""slurm": {"constraint": ""}"#, "/slurm/constraint"), (#""slurm": {"account": "x"}"#, "/slurm/account"),
    ])
  func refusals(members: String, pointer: String) {
    let problem = #expect(throws: Problem.self) { try request(members) }
    #expect(problem?.errors?.map(\.pointer) == [pointer])
  }

  @Test("A retry changes what it gives, and keeps the rest")
  func retry() throws {
    let before = try request(#""nodes": 2, "slurm": {"partition": "p", "cpus": 8}"#)
    let changes = try RetryRequest(parsing: JSONValue(parsing: Array(#"{"slurm": {"cpus": 16, "time": "90"}}"#.utf8)))
    let after = try changes.applied(to: before)
    #expect(after.slurm == SlurmRequest(partition: "p", cpus: 16, time: SlurmTime("90")) && after.nodes == 2)
    #expect(try RetryRequest().applied(to: before) == before)
  }
}
