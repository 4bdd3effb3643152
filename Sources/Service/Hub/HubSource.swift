import Checkpoint
import Foundation
import JobModel
import JobRunner
import JobStore

/// Gets the models of jobs that name a repository of the Hub.
struct HubSource: Sendable {
  let settings: HubSettings
  let store: HubStore
  let dataFolder: URL
  let freeBytes: @Sendable (URL) -> Int?

  private func client() throws(HubError) -> HubClient {
    guard let endpoint = settings.endpoint else { throw .notConfigured }
    return HubClient(endpoint: endpoint, token: settings.token)
  }

  /// What is known of a model when a job is submitted.
  struct Pin: Sendable {
    /// With its commit, if the Hub answered.
    var reference: HubReference
    /// Where the model is, if it is there already.
    var snapshot: URL?
    /// config.json, if the Hub answered.
    var configuration: [UInt8]?
    var warning: String?
  }

  /// Finds out which commit is meant. Blocks, at most as long as a submission may take.
  ///
  /// - Throws: `Problem` for what will not pass. Of what may pass, such as a Hub that is down, the pin has a warning.
  func pin(_ reference: HubReference) throws(Problem) -> Pin {
    do {
      let client = try client()
      var reference = reference
      if reference.commit == nil, HubReference.isCommit(reference.revision) { reference.commit = reference.revision }
      if let url = store.snapshot(reference) { return Pin(reference: reference, snapshot: url) }
      let snapshot = try HubSnapshot(reference, from: client, timeout: settings.answerLimit) { false }
      let url = store.snapshot(snapshot.reference)
      if url == nil { try checkDisk(download(snapshot, client, HubProgress()) { false }) }
      return Pin(reference: snapshot.reference, snapshot: url, configuration: snapshot.configuration)
    } catch let error as HubError where error.isTransient {
      return Pin(reference: reference, warning: "\(error); the job asks it again when it begins, and is checked only then")
    } catch let error as HubError {
      throw Problem(error)
    } catch let error as MissingSpace {
      throw Problem(.insufficientStorage, status: 507, title: "The disk has too little room for the model", detail: "\(error)")
    } catch {
      throw Problem(.invalidModel, status: 422, title: "The model can't be got", detail: error.reason)
    }
  }

  /// Brings a job's model to disk, as a stage of the job on its thread; pins its commit where the submission couldn't.
  ///
  /// - Returns: Where the model is, as long as that is held; nil for a job whose model has another source.
  /// - Throws: `Job.Failure`, `CancellationError`.
  func fetch(_ job: inout Job, _ cancellation: CancellationFlag, _ journal: JobJournal) throws -> HubStore.Lease? {
    guard case .hub(let reference) = job.request.model else { return nil }
    if let commit = reference.commit {
      let lease = store.lease(store.url(of: reference.hub, commit: commit))
      if store.snapshot(reference) != nil { return lease }
    }
    do {
      let client = try client()
      try journal.stage(.downloading)
      let isCancelled: @Sendable () -> Bool = { cancellation.isCancelled }
      let snapshot = try patiently(isCancelled) {
        try HubSnapshot(reference, from: client, timeout: .seconds(60), isCancelled: isCancelled)
      }
      if reference != snapshot.reference {
        try journal.pin(snapshot.reference)
        job.request.model = .hub(snapshot.reference)
      }
      let lease = store.lease(store.url(of: reference.hub, commit: snapshot.reference.commit ?? ""))
      try fill(lease, snapshot, client, isCancelled, journal)
      return lease
    } catch HubError.cancelled {
      throw CancellationError()
    } catch let error as HubError {
      throw Job.Failure(code: error.code, detail: error.description, advice: error.advice)
    } catch let error as MissingSpace {
      throw Job.Failure(code: "insufficient_storage", detail: "\(error)", advice: "Then gptqctl retry: it goes on where it was.")
    } catch {
      throw Job.Failure(explaining: error) ?? error
    }
  }

  private func patiently<Result>(_ isCancelled: @escaping () -> Bool, _ body: () throws -> Result) throws -> Result {
    var patience = HubPatience(settings, isCancelled: isCancelled)
    while true {
      do {
        return try body()
      } catch let error as HubError {
        try patience.wait(after: error)
      }
    }
  }

  private func fill(
    _ lease: HubStore.Lease, _ snapshot: HubSnapshot, _ client: HubClient, _ isCancelled: @escaping @Sendable () -> Bool,
    _ journal: JobJournal
  ) throws {
    let progress = HubProgress()
    var meter = HubMeter(journal)
    while let other = store.beginDownload(of: lease.url, progress) {
      if isCancelled() { throw HubError.cancelled }
      try meter.report(other)
      usleep(100_000)
    }
    defer { store.endDownload(of: lease.url) }
    guard store.snapshot(snapshot.reference) == nil else { return }
    let download = download(snapshot, client, progress, isCancelled)
    try checkDisk(download)
    try download.run { files in
      for file in files { try journal.downloaded(file.name, bytes: file.size) }
      try meter.report(progress)
    }
  }

  private func download(
    _ snapshot: HubSnapshot, _ client: HubClient, _ progress: HubProgress, _ isCancelled: @escaping @Sendable () -> Bool
  ) -> HubDownload {
    HubDownload(
      client: client, snapshot: snapshot, target: store.url(of: snapshot.reference.hub, commit: snapshot.reference.commit ?? ""),
      settings: settings, progress: progress, isCancelled: isCancelled)
  }

  private struct MissingSpace: Error, CustomStringConvertible {
    let model: HubReference
    let needed: Int
    let available: Int
    let folder: URL

    var description: String {
      "\(needed) bytes of \(model) are still to be downloaded to \(folder.path), where \(available) are free; free \(needed - available) "
        + "bytes (jobs that are no longer needed: gptqctl delete), or set data.folder to another disk"
    }
  }

  private func checkDisk(_ download: HubDownload) throws(MissingSpace) {
    let needed = download.missingBytes
    guard let available = freeBytes(dataFolder), available < needed else { return }
    throw MissingSpace(model: download.snapshot.reference, needed: needed, available: available, folder: dataFolder)
  }
}

extension Problem {
  /// What a submission is refused with.
  init(_ error: HubError) {
    if case .noLibrary = error {
      self.init(.unavailable, status: 503, title: "The Hub can't be asked", detail: "\(error). \(error.advice)")
      return
    }
    let pointer = if case .noRevision = error { "/model/revision" } else { "/model/hub" }
    self = .invalidModel("\(error). \(error.advice)", at: pointer)
  }
}
