import JobModel
import Testing

@Suite struct JobStatusTests {
  private static let legal: Set<[JobStatus]> = [
    [.queued, .running], [.queued, .cancelled], [.running, .queued], [.running, .cancelling], [.running, .succeeded], [.running, .failed],
    [.cancelling, .cancelled], [.failed, .queued], [.cancelled, .queued],
  ]

  @Test("Every pair of statuses is a legal move or refused", arguments: JobStatus.allCases, JobStatus.allCases)
  func moves(from: JobStatus, to: JobStatus) throws {
    if Self.legal.contains([from, to]) {
      #expect(try from.moved(to: to) == to)
    } else {
      #expect(throws: JobStatus.IllegalMove(from: from, to: to)) { try from.moved(to: to) }
    }
  }

  @Test func endsWhereOnlyARequestGoesOn() {
    #expect(JobStatus.allCases.filter(\.isEnded) == [.cancelled, .succeeded, .failed])
  }
}
