import Foundation
import JobModel
import StrictJSON
import Testing

@Suite struct APICodingTests {
  @Test("A job is written with snake_case names and times in UTC")
  func writesJobs() throws {
    var job = Job(id: JobID(), request: JobRequest(model: "m"), createdAt: Date(timeIntervalSince1970: 1_800_000_000.25))
    job.report = Job.Report(perplexityBefore: 10, layers: 3, seconds: 1)
    job.error = Job.Failure(code: "not_positive_definite", layer: "l", cause: .incurable, detail: "d", advice: "a")
    let data = try APICoding.encode(job)
    let json = try JSONValue(parsing: Array(data))
    #expect(json["created_at"]?.stringValue == "2027-01-15T08:00:00.250Z")
    #expect(json["report"]?["perplexity_before"]?.doubleValue == 10)
    #expect(json["request"]?["quantization"]?["group_size"]?.intValue == 128)
    #expect(json["error"]?["cause"]?.stringValue == "incurable")
    #expect(json["finished_at"] == nil)
    #expect(try APICoding.decode(Job.self, from: data) == job)
  }

  @Test("A problem document has the members of RFC 9457")
  func writesProblems() throws {
    var problem = Problem.invalidRequest([.init(pointer: "/bits", detail: "must be 4")])
    problem.instance = "/v1/jobs"
    let json = try JSONValue(parsing: Array(APICoding.encode(problem)))
    #expect(json["status"]?.intValue == 422)
    #expect(json["code"]?.stringValue == "invalid_request")
    #expect(json["detail"]?.stringValue == "/bits must be 4")
    #expect(json["errors"]?.arrayValue?.first?["pointer"]?.stringValue == "/bits")
    #expect(json["type"] != nil && json["title"] != nil && json["instance"] != nil)
  }
}
