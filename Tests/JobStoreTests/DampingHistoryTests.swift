import Foundation
import JobModel
import JobStore
import Testing

@Suite struct DampingHistoryTests {
  private let store: TestStore
  private static let context = DampingContext(model: "f1", calibration: "c1", dampPercent: 0.01)
  private static let layer = "model.layers.0.self_attn.q_proj"
  private static let known = KnownDamping(damping: 0.2, precision: .float64)

  init() throws { store = try TestStore() }

  private func journal() async throws -> JobJournal { JobJournal(store.repository, job: try await store.submit().id, attempt: 1) }

  @Test("What worked for a layer is there for later jobs, the last of several")
  func remembers() async throws {
    let (first, second) = (try await journal(), try await journal())
    try await Task.detached {
      #expect(try first.knownDamping(of: Self.layer, in: Self.context, before: .distantFuture) == nil)
      try first.remember(Self.known, for: Self.layer, in: Self.context)
      #expect(try second.knownDamping(of: Self.layer, in: Self.context, before: .distantFuture) == Self.known)
      let better = KnownDamping(damping: 0.05, precision: .float32)
      try second.remember(better, for: Self.layer, in: Self.context)
      #expect(try first.knownDamping(of: Self.layer, in: Self.context, before: .distantFuture) == better)
    }.value
  }

  @Test("Another model, calibration, first damping or layer knows nothing of it")
  func keepsContextsApart() async throws {
    let journal = try await journal()
    try await Task.detached {
      try journal.remember(Self.known, for: Self.layer, in: Self.context)
      for context in [
        DampingContext(model: "f2", calibration: "c1", dampPercent: 0.01), .init(model: "f1", calibration: "", dampPercent: 0.01),
        .init(model: "f1", calibration: "c1", dampPercent: 0.02),
      ] {
        #expect(try journal.knownDamping(of: Self.layer, in: context, before: .distantFuture) == nil)
      }
      #expect(try journal.knownDamping(of: "model.layers.1.self_attn.q_proj", in: Self.context, before: .distantFuture) == nil)
    }.value
  }

  @Test("A database that is opened again still knows")
  func isDurable() async throws {
    let journal = try await journal()
    let file = store.file
    try await Task.detached {
      try journal.remember(Self.known, for: Self.layer, in: Self.context)
      let other = JobJournal(try JobRepository(database: file), job: journal.job, attempt: 2)
      #expect(try other.knownDamping(of: Self.layer, in: Self.context, before: .distantFuture) == Self.known)
    }.value
  }
}
