import Foundation
import JobModel
import gptqctl

/// The daemon's own executable as a child, with the client that is shipped.
struct DaemonProcess: Sendable {
  let process: ChildProcess
  let client: APIClient
  /// As the daemon sees it, outside of any mount namespace.
  let data: URL
  /// Standard output and error.
  let log: URL

  enum Failure: Error, CustomStringConvertible {
    /// Before it listened.
    case ended(ChildProcess.Exit, log: String)
    case silent(log: String)
    case jobFailed(String)

    var description: String {
      switch self {
      case .ended(let exit, let log): "gptqd ended with \(exit) before it listened; it said: \(log)"
      case .silent(let log): "gptqd doesn't listen; it said: \(log)"
      case .jobFailed(let reason): "the job did not succeed: \(reason)"
      }
    }
  }

  /// Beside the tests.
  static let executable: String = {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    return URL(filePath: tests).deletingLastPathComponent().appending(component: "gptqd").path
  }()

  /// Runs `body` with a daemon that listens, and kills the daemon afterwards.
  ///
  /// - Parameters:
  ///   - wrapper: A program and its arguments that run the daemon.
  ///   - settings: Environment variables besides the site's.
  ///   - isPrivate: The wrapper gives the daemon a mount namespace of its own.
  ///   - limit: The daemon is killed so long after it was started.
  static func run<Value>(
    _ site: Site, data: URL, wrapper: [String] = [], settings: [String: String] = [:], isPrivate: Bool = false,
    killedAfter limit: Duration? = nil, _ body: (DaemonProcess) async throws -> Value
  ) async throws -> Value {
    let daemon = try await DaemonProcess(
      site, data: data, wrapper: wrapper, settings: settings, isPrivate: isPrivate, killedAfter: limit)
    do {
      let value = try await body(daemon)
      await daemon.process.kill()
      return value
    } catch {
      await daemon.process.kill()
      throw error
    }
  }

  private init(
    _ site: Site, data: URL, wrapper: [String], settings: [String: String], isPrivate: Bool, killedAfter limit: Duration?
  ) async throws {
    let log = site.folder.appending(component: "log-\(UUID().uuidString.prefix(8))")
    let process = try await Self.start(site, data: data, wrapper: wrapper, settings: settings, log: log)
    if let limit { Task { await process.ended(within: limit) } }
    let seen = isPrivate ? URL(filePath: "/proc/\(process.pid)/root" + data.path) : data
    let address = seen.appending(component: "gptqd.url")
    let deadline = ContinuousClock.now + .seconds(20)
    // Nothing but the file tells that the daemon listens.
    while true {
      if let url = try? String(contentsOf: address, encoding: .utf8), url.hasSuffix("\n") {
        client = try APIClient(url: url.trimmingCharacters(in: .newlines), token: nil)
        break
      }
      if let exit = process.exit { throw Failure.ended(exit, log: Self.text(of: log)) }
      guard ContinuousClock.now < deadline else {
        await process.kill()
        throw Failure.silent(log: Self.text(of: log))
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    (self.process, self.data, self.log) = (process, data, log)
  }

  /// Starts the daemon and doesn't wait until it listens.
  static func start(
    _ site: Site, data: URL, wrapper: [String] = [], settings: [String: String] = [:], log: URL
  ) async throws -> ChildProcess {
    // An earlier daemon's, that was killed.
    try? FileManager.default.removeItem(at: data.appending(component: "gptqd.url"))
    var environment = site.environment.merging(settings) { $1 }
    environment["GPTQD_DATA_FOLDER"] = data.path
    return try await ChildProcess(wrapper + ChildProcess.bound + [executable, "serve"], environment: environment, output: log)
  }

  static func text(of log: URL) -> String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

  var said: String { Self.text(of: log) }

  /// The daemon's own files, also where it has mounts of its own.
  var view: URL { URL(filePath: "/proc/\(process.pid)/root" + data.path) }

  // MARK: - Requests

  func submit(_ body: String = Site.request, key: String? = nil) async throws -> JobID {
    let answer = try await client.send(
      "POST", "/v1/jobs", body: Data(body.utf8), headers: key.map { ["Idempotency-Key": $0] } ?? [:])
    return try APICoding.decode(Job.self, from: answer.body).id
  }

  func job(_ id: JobID) async throws -> Job { try await client.get(Job.self, "/v1/jobs/\(id)") }

  func jobs() async throws -> [Job] { try await client.get(APIList<Job>.self, "/v1/jobs?limit=1000").data }

  /// - Parameter limit: For the whole job.
  /// - Returns: The job as it is when it has ended, or at the end of the time.
  func ended(_ id: JobID, within limit: Duration = .seconds(120)) async throws -> Job {
    let deadline = ContinuousClock.now + limit
    var job = try await job(id)
    while !job.status.isEnded, ContinuousClock.now < deadline {
      let left = (deadline - ContinuousClock.now).components.seconds
      job = try await client.get(Job.self, "/v1/jobs/\(id)?wait=\(min(30, max(1, left)))")
    }
    return job
  }
}
