import Foundation
import JobModel
import NIOCore
import NIOHTTP1

/// Stands between the parser and the server of one connection. What it refuses never gets to a route: it answers itself, after the
/// answers to earlier requests, and ends the connection, since where the next request would begin isn't certain then.
///
/// It also answers `Expect: 100-continue`, and ends connections whose client sends or reads too slowly.
final class ConnectionGuard: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// Where the connection is on its way to its end.
  private enum Phase {
    case open
    /// What comes is dropped. Ends once only `unanswered` requests are, with an answer in place of the next one's.
    case ending(answer: RefusalAnswer?, unanswered: Int)
    /// The last answer is written; others aren't any more.
    case ended
    /// The last answer has left for the client, who may still be sending.
    case lingering
  }

  private static let uploadSlack = 4 << 20
  /// Requests that may wait on one connection.
  private static let pipelineLimit = 32
  /// For what the client still sends: a connection that is closed before it is read is reset, and the answer could be lost
  /// (RFC 9112, section 9.6).
  private static let lingeringTime = TimeAmount.seconds(3)

  private let rules: RequestHeadRules
  private let meter: ByteMeter
  private let metrics: ServiceMetrics
  private var phase = Phase.open

  /// The request that is being read. The server has its head.
  private var request: RequestLine?
  private var isLastRequest = false
  private var bodyBytes = 0
  private var bodyLimit = (bytes: 0, problem: Problem?.none)
  /// Body bytes of one read from the socket: they may be many parts, and each is much larger than a byte.
  private var bodyPart: ByteBuffer?

  /// Requests that the server has, for which the answer isn't complete.
  private var unanswered = 0
  private var isAnswering = false
  private var owesContinue = false
  /// Who sends a file is told to go on only when the route has found that it can be taken (`takesBody`).
  private var routeContinues = false
  private var inputHasEnded = false

  private var upload: TransferRate
  private var uploadCheck: Scheduled<Void>?
  private var download: TransferRate
  private var downloadCheck: Scheduled<Void>?
  private var downloadStart = (time: NIODeadline.now(), taken: 0)

  init(limits: HTTPLimits, meter: ByteMeter, metrics: ServiceMetrics) {
    rules = RequestHeadRules(bodyLimit: limits.bodyBytes, uploadLimit: limits.uploadBytes)
    self.meter = meter
    self.metrics = metrics
    upload = TransferRate(least: limits.uploadBytesPerSecond, window: TimeAmount(limits.uploadWindow))
    download = TransferRate(least: limits.downloadBytesPerSecond, window: TimeAmount(limits.downloadWindow))
  }

  // MARK: Requests

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .open = phase else { return }
    switch unwrapInboundIn(data) {
    case .head(let head): receive(head, context)
    case .body(let part): receive(part, context)
    case .end(let trailers):
      deliverBody(context)
      request = nil
      owesContinue = false
      context.fireChannelRead(wrapInboundOut(.end(trailers)))
      if isLastRequest { end(context, answer: nil, unanswered: 0) }
    }
  }

  private func receive(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let line = RequestLine(head)
    if let problem = rules.problem(with: head) { return refuse(problem, line, context) }
    if unanswered >= Self.pipelineLimit { return refuse(.tooManyPipelined(limit: Self.pipelineLimit), line, context) }
    request = line
    unanswered += 1
    // What follows an Upgrade isn't parsed as HTTP any more.
    isLastRequest = !head.isKeepAlive || head.headers.contains(name: "Upgrade")
    bodyBytes = 0
    // The route, which comes a little later, refuses an upload of unknown length itself: it knows what to keep then.
    bodyLimit = (rules.limit(for: head) + (RequestHeadRules.isUpload(head) ? Self.uploadSlack : 0), rules.tooLarge(head))
    upload = TransferRate(least: upload.least, window: upload.window)
    meter.forgetWaiting()
    if head.headers.contains(name: "Expect"), head.version == .http1_1, RequestHeadRules.announcesBody(head) {
      owesContinue = true
      routeContinues = RequestHeadRules.isUpload(head)
      if !routeContinues { continueIfNext(context) }
    }
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  private func receive(_ part: ByteBuffer, _ context: ChannelHandlerContext) {
    var part = part
    bodyBytes += part.readableBytes
    if bodyBytes > bodyLimit.bytes, let problem = bodyLimit.problem { return refuse(problem, request, context) }
    upload.add(part.readableBytes)
    if bodyPart?.writeBuffer(&part) == nil { bodyPart = part }
  }

  private func deliverBody(_ context: ChannelHandlerContext) {
    guard let part = bodyPart else { return }
    bodyPart = nil
    context.fireChannelRead(wrapInboundOut(.body(part)))
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    deliverBody(context)
    if request != nil, uploadCheck == nil, upload.least > 0 { scheduleUploadCheck(in: upload.window, context) }
    context.fireChannelReadComplete()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError else { return context.fireErrorCaught(error) }
    switch error {
    case .headerOverflow: refuse(.headerTooLarge, request, context)
    case .invalidEOFState: refuse(.malformed("it ends too early"), request, context)
    default: refuse(.malformed("the parser says \(error)"), request, context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    // Whoever reads the body would take the part that came for the whole.
    if request != nil { context.fireErrorCaught(HTTPParserError.invalidEOFState) }
    context.fireChannelInactive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event as? ChannelEvent == .inputClosed {
      inputHasEnded = true
      if case .lingering = phase { context.close(promise: nil) }
    }
    context.fireUserInboundEventTriggered(event)
  }

  // MARK: Refusals

  private func refuse(_ problem: Problem, _ line: RequestLine?, _ context: ChannelHandlerContext) {
    guard case .open = phase else { return }
    metrics.refused(status: problem.status)
    let isBeingRead = request != nil
    request = nil
    bodyPart = nil
    // The server may have answered before the end of the body, or be about to.
    let isAnswered = isBeingRead && (unanswered == 0 || unanswered == 1 && isAnswering)
    end(
      context, answer: isAnswered ? nil : RefusalAnswer(problem, to: line), unanswered: isBeingRead && !isAnswered ? 1 : 0)
    // Whoever reads the body must not take what came of it for the whole.
    if isBeingRead { context.fireErrorCaught(HTTPParserError.invalidEOFState) }
  }

  private func end(_ context: ChannelHandlerContext, answer: RefusalAnswer?, unanswered: Int) {
    phase = .ending(answer: answer, unanswered: unanswered)
    if let meter = try? context.pipeline.syncOperations.context(handler: meter) { self.meter.dropInput(meter) }
    endIfNext(context)
  }

  private func endIfNext(_ context: ChannelHandlerContext) {
    guard case .ending(let answer, let remaining) = phase, unanswered <= remaining, !isAnswering else { return }
    phase = .ended
    let written = context.eventLoop.makePromise(of: Void.self)
    if let answer {
      for part in answer.parts { context.write(wrapOutboundOut(part), promise: nil) }
    }
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer()))), promise: written)
    let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in
      let (handler, context) = loopBound.value
      handler.linger(context)
    }
  }

  private func linger(_ context: ChannelHandlerContext) {
    guard !inputHasEnded else { return context.close(promise: nil) }
    phase = .lingering
    context.close(mode: .output, promise: nil)
    context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingeringTime) { context.close(promise: nil) }
  }

  // MARK: Answers

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var part = unwrapOutboundIn(data)
    switch phase {
    case .ended, .lingering:
      promise?.succeed()
      return
    case .open, .ending: break
    }
    if case .head(var head) = part, head.status.code >= 200 {
      isAnswering = true
      // Whoever still waits to be asked for the body doesn't send it, or does: where the next request begins isn't certain.
      if owesContinue, unanswered == 1, request != nil {
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        part = .head(head)
      }
      // Nothing that came after the request that this answers is taken up.
      if unanswered == 1, head.headers[canonicalForm: "Connection"].contains("close") { isLastRequest = true }
      if case .ending(nil, unanswered: 0) = phase, unanswered == 1 {
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        part = .head(head)
      }
    }
    context.write(wrapOutboundOut(part), promise: promise)
    if case .end = part {
      isAnswering = false
      unanswered -= 1
      if !routeContinues { continueIfNext(context) }
      // The server reads no more of a last request that it has answered; its client may send all of it before it reads.
      if isLastRequest, unanswered == 0, case .open = phase {
        request = nil
        bodyPart = nil
        end(context, answer: nil, unanswered: 0)
      }
      endIfNext(context)
    }
  }

  /// What a route triggers on its channel when it begins to read the body.
  enum BodyEvent { case takesBody }

  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    guard event is BodyEvent else { return context.triggerUserOutboundEvent(event, promise: promise) }
    if routeContinues { continueIfNext(context) }
    promise?.succeed()
  }

  private func continueIfNext(_ context: ChannelHandlerContext) {
    guard owesContinue, unanswered == 1, request != nil else { return }
    owesContinue = false
    context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
  }

  // MARK: Rates

  private func scheduleUploadCheck(in time: TimeAmount, _ context: ChannelHandlerContext) {
    uploadCheck = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in
      uploadCheck = nil
      guard request != nil else { return }
      // The client waits for the server, not the other way round.
      if owesContinue { meter.forgetWaiting() }
      switch upload.judge(elapsed: meter.waitingTime) {
      case .tooSlow: refuse(.tooSlow(least: upload.least), request, context)
      case .open(let time):
        if time == upload.window { meter.forgetWaiting() }
        scheduleUploadCheck(in: max(time, .milliseconds(10)), context)
      }
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if !context.channel.isWritable, downloadCheck == nil, download.least > 0 {
      downloadStart = (.now(), taken(context))
      scheduleDownloadCheck(context)
    }
    context.fireChannelWritabilityChanged()
  }

  /// Bytes that the socket has taken.
  private func taken(_ context: ChannelHandlerContext) -> Int {
    meter.written - ((try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0)
  }

  private func scheduleDownloadCheck(_ context: ChannelHandlerContext) {
    downloadCheck = context.eventLoop.assumeIsolated().scheduleTask(in: download.window) { [self] in
      downloadCheck = nil
      guard !context.channel.isWritable else { return }
      let taken = taken(context)
      download.add(taken - downloadStart.taken)
      let verdict = download.judge(elapsed: .now() - downloadStart.time)
      downloadStart = (.now(), taken)
      if verdict == .tooSlow { context.close(promise: nil) } else { scheduleDownloadCheck(context) }
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    uploadCheck?.cancel()
    downloadCheck?.cancel()
  }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}

extension Problem {
  fileprivate static var headerTooLarge: Problem {
    Problem(
      .headerTooLarge, status: 431, title: "The request's header is too large",
      detail: "target, names and values are more than http.max_header_bytes, or there are more than 256 fields")
  }

  fileprivate static func tooManyPipelined(limit: Int) -> Problem {
    Problem(
      .tooManyRequests, status: 429, title: "Too many requests at once on a connection",
      detail: "\(limit) requests wait for their answers; send more when they have come")
  }

  fileprivate static func tooSlow(least: Int) -> Problem {
    Problem(
      .requestTimeout, status: 408, title: "The request body comes too slowly",
      detail: "it must come with \(least) bytes a second or more (http.min_upload_bytes_per_second)")
  }
}
