import Foundation
import FoundationNetworking
import JobModel

/// Requests to the server; every answer that isn't a success becomes a `ClientError`.
package struct APIClient: Sendable {
  package let base: URL
  private let token: String?
  private let session: URLSession

  /// - Parameter patience: Seconds that nothing may come for.
  /// - Throws: `ClientError.invalidURL`.
  package init(url: String, token: String?, patience: Int = 90) throws(ClientError) {
    let trimmed = String(url.reversed().drop { $0 == "/" }.reversed())
    guard let base = URL(string: trimmed), let scheme = base.scheme, ["http", "https"].contains(scheme),
      base.host?.isEmpty == false, base.query == nil, base.fragment == nil
    else { throw .invalidURL(url) }
    self.base = base
    self.token = token
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = Double(patience)
    session = URLSession(configuration: configuration)
  }

  package struct Answer: Sendable {
    package let status: Int
    package let headers: [String: String]
    package let body: Data
  }

  /// - Parameters:
  ///   - path: Below the server's address, with a query if need be.
  ///   - allowing: Statuses that are answers and not errors, besides those of success.
  /// - Throws: `ClientError`.
  package func send(
    _ method: String = "GET", _ path: String, body: Data? = nil, headers: [String: String] = [:], allowing: Set<Int> = []
  ) async throws -> Answer {
    let request = try request(method, path, body: body, headers: headers)
    let (data, response): (Data, URLResponse)
    do {
      (data, response) = try await session.data(for: request)
    } catch {
      throw ClientError.unreachable(url: base.absoluteString, reason: error.localizedDescription)
    }
    guard let http = response as? HTTPURLResponse else { throw ClientError.unexpectedAnswer(status: 0, path: path) }
    guard (200..<300).contains(http.statusCode) || allowing.contains(http.statusCode) else {
      if let problem = try? APICoding.decode(Problem.self, from: data) { throw ClientError.refused(problem) }
      throw ClientError.unexpectedAnswer(status: http.statusCode, path: path)
    }
    var fields: [String: String] = [:]
    for (name, value) in http.allHeaderFields { fields["\(name)".lowercased()] = "\(value)" }
    return Answer(status: http.statusCode, headers: fields, body: data)
  }

  /// - Throws: `ClientError.invalidURL`.
  func request(_ method: String, _ path: String, body: Data? = nil, headers: [String: String]) throws(ClientError) -> URLRequest {
    guard let url = URL(string: base.absoluteString + path) else { throw .invalidURL(base.absoluteString + path) }
    var request = URLRequest(url: url)
    request.httpMethod = method
    request.httpBody = body
    if body != nil { request.setValue("application/json", forHTTPHeaderField: "Content-Type") }
    if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    return request
  }

  /// - Throws: `ClientError`; `.unexpectedAnswer` for a body that isn't of the type.
  package func get<Value: Decodable>(_ type: Value.Type, _ path: String) async throws -> Value {
    let answer = try await send("GET", path)
    guard let value = try? APICoding.decode(type, from: answer.body) else {
      throw ClientError.unexpectedAnswer(status: answer.status, path: path)
    }
    return value
  }

  /// All parts of a list.
  ///
  /// - Parameters:
  ///   - path: Without `after`.
  ///   - onAnswer: Gets each part as it came.
  /// - Throws: As `get`.
  package func all<Value: Codable & Sendable>(
    _ type: Value.Type, _ path: String, onAnswer: (Data) -> Void = { _ in }
  ) async throws -> [Value] {
    var values: [Value] = []
    var after = ""
    while true {
      let answer = try await send("GET", path + after)
      guard let page = try? APICoding.decode(APIList<Value>.self, from: answer.body) else {
        throw ClientError.unexpectedAnswer(status: answer.status, path: path)
      }
      onAnswer(answer.body)
      values += page.data
      guard page.hasMore, let last = page.lastId?.addingPercentEncoding(withAllowedCharacters: .alphanumerics) else { return values }
      after = (path.contains("?") ? "&" : "?") + "after=\(last)"
    }
  }

  /// The id that a full id, a beginning of one, or "latest" stands for.
  package func resolve(_ reference: String) async throws -> JobID {
    if let id = JobID(reference) { return id }
    let matching = try await reference == "latest" ? newest() : jobs(beginningWith: reference)
    guard matching.count == 1 else { throw ClientError.noSuchJob(reference, matching: matching.count) }
    return matching[0]
  }

  private func newest() async throws -> [JobID] { try await get(APIList<Job>.self, "/v1/jobs?limit=1").data.prefix(1).map(\.id) }

  /// None for the empty text, which every id begins with.
  private func jobs(beginningWith text: String) async throws -> [JobID] {
    guard !text.isEmpty else { return [] }
    var matching: [JobID] = []
    var page = try await get(APIList<Job>.self, "/v1/jobs?limit=1000")
    while true {
      matching += page.data.map(\.id).filter { $0.text.hasPrefix(text.uppercased()) }
      guard page.hasMore, let last = page.data.last?.id else { return matching }
      page = try await get(APIList<Job>.self, "/v1/jobs?limit=1000&after=\(last)")
    }
  }
}
