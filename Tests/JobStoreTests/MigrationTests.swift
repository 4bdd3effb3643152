import Foundation
import JobModel
import JobStore
import Testing

/// A database with what the version before recovery wrote.
@Suite final class MigrationTests {
  private let folder: URL
  private let repository: JobRepository

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(component: "gptqd-migration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appending(component: "gptqd.sqlite")
    try VersionOneDatabase.write(to: file)
    repository = try JobRepository(database: file)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func job(_ text: String) async throws -> Job {
    let id = try #require(JobID(text))
    return try #require(try await repository.job(id))
  }

  @Test("Jobs keep what they had, and none of the new steps")
  func migratesJobs() async throws {
    let succeeded = try await job(VersionOneDatabase.succeeded)
    #expect(succeeded.request.kind == .model)
    #expect(succeeded.request.damping.start == .fixed)
    #expect(succeeded.request.recovery == .init(escalateSamples: [], onExhausted: .fail))
    let quantization = QuantizationRequest(bits: 3, dampPercent: 0.02, mse: false, scaleRefinement: false, errorCompensation: 0)
    #expect(succeeded.request.quantization == quantization)
    #expect(!succeeded.request.quantization.lmHead && succeeded.request.quantization.dynamic.isEmpty)
    #expect(succeeded.request.calibration == .init(dataset: "wiki", samples: 64, sequenceLength: 512, seed: 9))
    #expect(succeeded.report?.degradedLayers.isEmpty == true)
    #expect(succeeded.report?.perplexityAfter == 12.75)
    #expect(succeeded.result?.files.map(\.path) == ["config.json"])
    let failed = try await job(VersionOneDatabase.failed)
    #expect(failed.error?.cause == .incurable && failed.error?.tried == nil)
    #expect(failed.report == nil)
    #expect(try await repository.jobs(status: nil, limit: 10, after: nil).data.count == 3)
  }

  @Test("Layers and attempts say what they can of the new fields")
  func migratesLayers() async throws {
    let id = try #require(JobID(VersionOneDatabase.succeeded))
    let layers = try await repository.layers(of: id)
    #expect(layers.map(\.method) == [.gptq, nil])
    #expect(layers.allSatisfy { !$0.degraded && $0.kept == nil && $0.cause == nil })
    #expect(layers[0].damping == 0.05 && layers[0].relativeLoss == 0.01)
    let attempts = try await repository.attempts(of: id, layer: nil)
    #expect(attempts.map(\.dampingOrigin) == [.request, .request, .ladder])
    #expect(attempts.map(\.cause) == [.rounding, .rankDeficient, nil])
    #expect(attempts[0].smallestPivot == -1.5e-9)
  }

  @Test("Old jobs are claimed and retried like new ones")
  func goesOn() async throws {
    let failed = try #require(JobID(VersionOneDatabase.failed))
    let changes = RetryRequest(onExhausted: .rtn)
    let retried = try #require(try await repository.retry(failed, changes, now: TestStore.now))
    #expect(retried.status == .queued && retried.request.recovery.onExhausted == .rtn)
    #expect(try await repository.claimNext(now: TestStore.now)?.attempt == 3)
    #expect(try await repository.claimNext(now: TestStore.now)?.id.text == VersionOneDatabase.queued)
    #expect(try await repository.claimNext(now: TestStore.now) == nil)
  }
}
