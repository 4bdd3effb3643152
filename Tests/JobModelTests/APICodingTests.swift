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

  @Test("A time is written to the nearest millisecond, and stays so however often it is read and written")
  func keepsTimes() throws {
    #expect(APICoding.text(Date(timeIntervalSince1970: 1_800_000_000.9996)) == "2027-01-15T08:00:01.000Z")
    #expect(APICoding.text(Date(timeIntervalSince1970: -0.0006)) == "1969-12-31T23:59:59.999Z")
    for step in 0..<2000 {
      let text = APICoding.text(Date(timeIntervalSince1970: 1_800_000_000 + Double(step) * 0.731))
      #expect(APICoding.text(try APICoding.date(text)) == text)
    }
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
