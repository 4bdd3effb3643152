import HTTPTypes
import Hummingbird
import JobModel
import JobStore
import NIOCore

/// What happened to a job: in pages, or as it happens.
struct EventRoutes {
  let repository: JobRepository
  let feeds: LiveFeeds
  let streams: StreamLimit
  let listing: Turns
  /// For readers who are behind: they wait as long as they must, having been let in.
  let catchingUp = Turns(width: 2, waiting: .max)

  private static let earlierLimit = 50

  var routes: [Route] { [.get("v1/jobs/:id/events", query: ["after", "limit"], use: events)] }

  @Sendable private func events(_ request: Request, _ context: APIContext) async throws -> Response {
    let limit = try context.query.integer("limit", in: 1...1000)
    let after = try context.query.integer("after", in: 0...Int.max) ?? 0
    let wantsStream = MediaRange.prefers(.eventStream, over: .json, in: request.headers[values: .accept])
    let id = try await context.requireJob(in: repository).id
    guard wantsStream else { return try await page(of: id, after: after, limit: limit ?? 100) }
    guard limit == nil else { throw Problem.invalidQuery("limit", "can't go with a stream, which has all events") }
    return try stream(of: id, after: try request.lastEventID() ?? after, context.channel)
  }

  private func page(of id: JobID, after: Int, limit: Int) async throws -> Response {
    try await listing.run {
      let events = try await repository.events(of: id, after: after, limit: limit + 1)
      let page = Array(events.prefix(limit))
      let list = APIList(data: page, hasMore: events.count > limit, lastId: page.last.map { String($0.sequence) })
      return try .json(list, headers: [.vary: "Accept"])
    }
  }

  private func stream(of id: JobID, after: Int, _ channel: any Channel) throws -> Response {
    let place = try streams.take()
    let headers: HTTPFields = [
      .contentType: MediaRange.eventStream.rawValue, .cacheControl: "no-store", .vary: "Accept", .connection: "close",
      HTTPField.Name("X-Accel-Buffering")!: "no",
    ]
    let (repository, feeds, catchingUp) = (repository, feeds, catchingUp)
    let body = ResponseBody { writer in
      try await feeds.send(id, after: after, on: channel) { last in
        try await catchingUp.run { try await repository.events(of: id, after: last, limit: Self.earlierLimit) }
      } write: { buffer in
        try await writer.write(buffer)
      }
      try await writer.finish(nil)
      withExtendedLifetime(place) {}
    }
    return Response(status: .ok, headers: headers, body: body)
  }
}

extension Request {
  /// The event that a client of a stream got last.
  ///
  /// - Throws: `Problem` (400).
  fileprivate func lastEventID() throws(Problem) -> Int? {
    guard let name = HTTPField.Name("Last-Event-ID"), let text = headers[name], !text.isEmpty else { return nil }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else {
      throw Problem(
        .invalidRequest, status: 400, title: "The Last-Event-ID can't be used",
        detail: "it must be the number of an event, is \"\(text.prefix(40))\"")
    }
    return number
  }
}
