import Checkpoint
import Dispatch
import Foundation
import Synchronization

/// Fills a snapshot's folder, several files at once.
struct HubDownload {
  let client: HubClient
  let snapshot: HubSnapshot
  /// Where the complete snapshot goes.
  let target: URL
  let settings: HubSettings
  let progress: HubProgress
  let isCancelled: @Sendable () -> Bool

  private struct State {
    /// In the order in which they are begun, backwards.
    var waiting: [ListedFile]
    var arrived: [ListedFile] = []
    var failure: (any Error)?
  }

  private var folder: URL { HubStore.partialURL(of: target) }

  /// Bytes that are still to be got.
  var missingBytes: Int { snapshot.bytes - presentBytes }

  private var presentBytes: Int { snapshot.files.reduce(0) { $0 + HubFileDownload.present($1, in: folder) } }

  /// On the job's thread, which waits; the files have threads of their own.
  ///
  /// - Parameter report: Called several times a second, with files that have arrived since.
  /// - Throws: `HubError`, errors of the disk, what `report` throws.
  func run(report: ([ListedFile]) throws -> Void) throws {
    try DurableFile.makeFolder(folder, permissions: 0o700)
    progress.begin(done: presentBytes, total: snapshot.bytes)
    // The largest first, so that none is left over at the end.
    let state = Box(State(waiting: snapshot.files.sorted { $0.size < $1.size }))
    let stop = Flag()
    let group = DispatchGroup()
    let queue = DispatchQueue(label: "gptqd.hub", qos: .utility, attributes: .concurrent)
    for _ in 0..<min(settings.parallelDownloads, snapshot.files.count) {
      queue.async(group: group) { work(state, stop) }
    }
    var failure: (any Error)?
    while group.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
      guard failure == nil else { continue }
      do {
        try report(state.takeArrived())
      } catch {
        // The threads still write.
        failure = error
        stop.set()
      }
    }
    if let failure = failure ?? state.value.withLock({ $0.failure }) { throw failure }
    try report(state.takeArrived())
    try removeStrangers()
    try DurableFile.syncFolder(folder)
    try DurableFile.move(folder, to: target)
  }

  /// What an earlier version of gptqd may have wanted.
  private func removeStrangers() throws {
    let names = Set(snapshot.files.map(\.name))
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !names.contains(name) {
      try FileManager.default.removeItem(at: folder.appending(component: name))
    }
  }

  private func work(_ state: Box, _ stop: Flag) {
    let isCancelled = isCancelled
    do {
      let connection = try HubError.translating { try OutgoingConnection() }
      while !stop.isSet, let file = state.value.withLock({ $0.waiting.popLast() }) {
        let download = HubFileDownload(
          client: client, snapshot: snapshot, file: file, folder: folder, settings: settings, progress: progress,
          isCancelled: { stop.isSet || isCancelled() })
        try download.run(over: connection)
        state.value.withLock { $0.arrived.append(file) }
      }
    } catch {
      // Others fail because of the first.
      state.value.withLock { $0.failure = $0.failure ?? error }
      stop.set()
    }
  }

  private final class Box: Sendable {
    let value: Mutex<State>

    init(_ state: sending State) { value = Mutex(state) }

    func takeArrived() -> [ListedFile] {
      value.withLock { state in
        defer { state.arrived = [] }
        return state.arrived
      }
    }
  }

  private final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }

    func set() { value.store(true, ordering: .sequentiallyConsistent) }
  }
}
