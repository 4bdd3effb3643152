import Foundation
import JobModel
import Testing

@Suite struct JobIDTests {
  @Test("Ids sort by the time they were made")
  func sortsByTime() {
    let times = [0, 1, 999, 1_000_000, 1_800_000_000.123, 9_000_000_000].map(Date.init(timeIntervalSince1970:))
    let ids = times.map { JobID(at: $0) }
    #expect(ids == ids.sorted())
    #expect(ids.allSatisfy { $0.text.count == 26 && JobID($0.text) == $0 })
  }

  @Test func areDifferent() {
    let now = Date()
    #expect(Set((0..<1000).map { _ in JobID(at: now) }).count == 1000)
  }

  @Test func takesLowerCase() throws {
    let id = JobID()
    #expect(JobID(id.text.lowercased()) == id)
  }

  @Test(
    "What isn't a ULID is refused",
    arguments: [
      "", "01M857", "01M8573B6EPCT61ER3SENZRF9", "01M8573B6EPCT61ER3SENZRF92X", "01M8573B6EPCT61ER3SENZRFI2",
      "../../../../../../etc/passwd", "01M8573B6EPCT61ER3SENZRFß2", "01M8573B6EPCT61ER3SENZRFß",
      "01M8573B6EPCT61ER3SENZ\u{212A}1",
    ])
  func refuses(_ text: String) { #expect(JobID(text) == nil) }
}
