import Foundation
import FoundationNetworking
import JobModel
import Synchronization

/// Posts messages to receivers that nobody trusts: it follows no redirect, keeps no cookie, reads little of an answer and nothing
/// out of it but its status.
final class WebhookClient: Sendable {
  /// Bytes of an answer's body that are read, so that a usual answer ends as it should.
  private static let bodyLimit = 16 << 10

  private let session: URLSession
  private let tasks: WebhookTasks
  private let limit: Duration

  /// - Parameter limit: For a whole try.
  init(limit: Duration) {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.httpCookieStorage = nil
    configuration.httpShouldSetCookies = false
    configuration.urlCredentialStorage = nil
    configuration.urlCache = nil
    // The session's own limit has whole seconds and begins anew with each byte; `limit` comes first.
    configuration.timeoutIntervalForRequest = (limit / .seconds(1)).rounded(.up) + 60
    tasks = WebhookTasks(bodyLimit: Self.bodyLimit)
    self.limit = limit
    session = URLSession(configuration: configuration, delegate: tasks, delegateQueue: nil)
  }

  /// Lets the session go, which keeps its delegate.
  func invalidate() { session.invalidateAndCancel() }

  func post(_ body: String, to target: WebhookURL, _ fields: [String: String]) async -> WebhookResult {
    // Another reading of the host than the one that was allowed would be worse than no delivery.
    guard let url = URL(string: target.description), url.host.map({ $0.trimmingCharacters(in: ["[", "]"]) }) == target.bareHost,
      (url.port ?? target.scheme.standardPort) == target.port
    else { return WebhookResult(error: "the URL can't be used") }
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.httpBody = Data(body.utf8)
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue("gptqd/\(Daemon.version)", forHTTPHeaderField: "User-Agent")
    for (name, value) in fields { request.setValue(value, forHTTPHeaderField: name) }
    let task = session.dataTask(with: request)
    let deadline = Task { [limit] in
      try await Task.sleep(for: limit)
      task.cancel()
    }
    defer { deadline.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        tasks.expect(task, continuation)
        task.resume()
      }
    } onCancel: {
      task.cancel()
    }
  }
}

/// What the session tells of its tasks.
private final class WebhookTasks: NSObject, URLSessionDataDelegate, Sendable {
  private struct Pending {
    let continuation: CheckedContinuation<WebhookResult, Never>
    var result: WebhookResult?
    var bytes = 0
  }

  private let bodyLimit: Int
  private let pending = Mutex<[Int: Pending]>([:])

  init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

  func expect(_ task: URLSessionTask, _ continuation: CheckedContinuation<WebhookResult, Never>) {
    pending.withLock { $0[task.taskIdentifier] = Pending(continuation: continuation) }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse, newRequest: URLRequest,
    completionHandler: @escaping (URLRequest?) -> Void
  ) {
    note(response, of: task)
    completionHandler(nil)
    task.cancel()
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    if let http = response as? HTTPURLResponse { note(http, of: dataTask) }
    completionHandler(.allow)
  }

  private func note(_ response: HTTPURLResponse, of task: URLSessionTask) {
    pending.withLock { $0[task.taskIdentifier]?.result = WebhookResult(response) }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isEnough = pending.withLock { pending in
      pending[dataTask.taskIdentifier]?.bytes += data.count
      return pending[dataTask.taskIdentifier].map { $0.bytes > bodyLimit } ?? false
    }
    if isEnough { dataTask.cancel() }
  }

  /// A status that came counts, whatever became of the body.
  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    guard let pending = pending.withLock({ $0.removeValue(forKey: task.taskIdentifier) }) else { return }
    pending.continuation.resume(returning: pending.result ?? WebhookResult(error: WebhookResult.reason(error)))
  }
}

extension WebhookResult {
  fileprivate init(_ response: HTTPURLResponse) {
    status = response.statusCode
    switch response.statusCode {
    case 200..<300: break
    case 300..<400: error = "the receiver redirects, which isn't followed"
    case 410: error = "the receiver wants no more messages"
    default: error = "the receiver answered with status \(response.statusCode)"
    }
    retryAfter = response.value(forHTTPHeaderField: "Retry-After").flatMap { UInt32($0) }.map { .seconds(Int64($0)) }
  }

  /// In words that say nothing of the machine.
  fileprivate static func reason(_ error: (any Error)?) -> String {
    switch (error as? URLError)?.code {
    case .timedOut, .cancelled: "the receiver didn't answer in time"
    case .cannotFindHost, .dnsLookupFailed: "the host's name can't be resolved"
    case .cannotConnectToHost: "the host can't be connected to"
    case .secureConnectionFailed, .serverCertificateUntrusted, .serverCertificateHasBadDate, .serverCertificateHasUnknownRoot,
      .serverCertificateNotYetValid:
      "no secure connection to the host: check its certificate"
    case let code?: "the connection failed (\(code.rawValue))"
    case nil: "the connection failed"
    }
  }
}

extension WebhookURL {
  fileprivate var bareHost: String {
    switch host {
    case .name(let text), .ipv4(let text), .ipv6(let text): text
    }
  }
}
