//! The frames of one direction.

use super::{
    Judge, Judged, Side, Sight, Sink, Violation,
    frame::{Frame, Span, append, written},
    message::{Doing, Message, release},
};
use crate::ws::{Close, Head, MAX_HEAD, Opcode, mask_from, read_head};

/// Bytes unmasked at a time to be looked at; on the stack.
const UNMASK_BLOCK: usize = 1024;

/// Gives the key of a mask.
pub(crate) type Keys<'k> = &'k mut dyn FnMut() -> [u8; 4];

/// Splices the frames of one direction.
pub(crate) struct Splicer<J: Judge> {
    side: Side,
    hold_limit: usize,
    head: [u8; MAX_HEAD],
    head_used: u8,
    frame: Option<Frame>,
    message: Option<Box<Message<J::Scan>>>,
    control: Vec<u8>,
    closed: bool,
    pub(crate) judge: J,
}

impl<J: Judge> Splicer<J> {
    /// A direction from one side; holds messages of at most so many bytes.
    pub(crate) fn new(side: Side, hold_limit: usize, judge: J) -> Self {
        Self {
            side,
            hold_limit,
            head: [0; MAX_HEAD],
            head_used: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            closed: false,
            judge,
        }
    }

    /// Whether the other side is between messages, so that an event of ours may
    /// go there.
    pub(crate) fn between_messages(&self) -> bool {
        let passing = self
            .message
            .as_ref()
            .is_some_and(|message| message.doing.passes());
        !passing
    }

    /// Whether the other side is between frames, so that a close may go there.
    pub(crate) fn between_frames(&self) -> bool {
        self.between_messages() || self.frame.is_none()
    }

    /// Whether a close went through; nothing after it does.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes the next bytes of this direction.
    ///
    /// # Errors
    ///
    /// [`Violation`]: the connection can't go on; what is in the sink is good.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        sink: &mut Sink,
        keys: Keys<'_>,
    ) -> Result<(), Violation> {
        let mut at = 0;
        while at < input.len() && !self.closed {
            at = match self.frame {
                None => self.begin_frame(input, at, sink, keys)?,
                Some(frame) => self.take_payload(frame, input, at, sink, keys)?,
            };
        }
        if let Some(frame) = &mut self.frame {
            frame.starts = None;
        }
        Ok(())
    }

    fn begin_frame(
        &mut self,
        input: &[u8],
        at: usize,
        sink: &mut Sink,
        keys: Keys<'_>,
    ) -> Result<usize, Violation> {
        let Some((head, starts, next)) = self.read_head(input, at)? else {
            return Ok(input.len());
        };
        if head.mask.is_some() != (self.side == Side::Client) {
            return Err(Violation::Protocol("a mask is missing or not wanted"));
        }
        let frame = Frame {
            head,
            done: 0,
            starts,
        };
        self.begin_message(&frame)?;
        sink.spoke |= !head.opcode.is_control();
        self.frame = Some(frame);
        let passes = self
            .message
            .as_ref()
            .is_some_and(|message| message.doing.passes());
        if passes && !head.opcode.is_control() {
            match starts {
                Some(starts) => sink.pass(starts..next),
                None => sink.own(written(&head)),
            }
        }
        if head.len == 0 {
            return self.take_payload(frame, input, next, sink, keys);
        }
        Ok(next)
    }

    /// The head that begins here, where in the input it began, and where its
    /// payload begins; none while bytes of it are missing.
    fn read_head(
        &mut self,
        input: &[u8],
        at: usize,
    ) -> Result<Option<(Head, Option<usize>, usize)>, Violation> {
        if self.head_used == 0
            && let Some((head, size)) = read_head(&input[at..])?
        {
            return Ok(Some((head, Some(at), at + size)));
        }
        for (next, byte) in (at + 1..).zip(&input[at..]) {
            let used = usize::from(self.head_used);
            if let Some(place) = self.head.get_mut(used) {
                *place = *byte;
            }
            self.head_used += 1;
            if let Some((head, _)) = read_head(&self.head[..=used])? {
                self.head_used = 0;
                return Ok(Some((head, None, next)));
            }
        }
        Ok(None)
    }

    fn begin_message(&mut self, frame: &Frame) -> Result<(), Violation> {
        match (frame.head.opcode, self.message.is_some()) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => self.control.clear(),
            (Opcode::Continuation, true) => {}
            (Opcode::Continuation, false) => {
                return Err(Violation::Protocol("a continuation continues nothing"));
            }
            (Opcode::Text | Opcode::Binary, true) => {
                return Err(Violation::Protocol("a message begins within another"));
            }
            (opcode, false) => {
                let binary = opcode == Opcode::Binary;
                self.message = Some(Box::new(Message {
                    scan: J::Scan::default(),
                    doing: if binary {
                        Doing::Skipping
                    } else {
                        Doing::Deciding
                    },
                    held: Vec::new(),
                    of_earlier: 0,
                    cut: binary,
                }));
            }
        }
        Ok(())
    }

    fn take_payload(
        &mut self,
        mut frame: Frame,
        input: &[u8],
        at: usize,
        sink: &mut Sink,
        keys: Keys<'_>,
    ) -> Result<usize, Violation> {
        let left = usize::try_from(frame.head.len - frame.done).unwrap_or(usize::MAX);
        let end = at + left.min(input.len() - at);
        let here = Span {
            input,
            at,
            end,
            ends_frame: end - at == left,
        };
        if frame.head.opcode.is_control() {
            append(&mut self.control, &frame, here.bytes());
        } else {
            self.take_data(&frame, &here, sink)?;
        }
        frame.done += (end - at) as u64;
        self.frame = Some(frame);
        if here.ends_frame {
            self.frame = None;
            self.end_frame(&frame, sink, keys)?;
        }
        Ok(end)
    }

    fn take_data(
        &mut self,
        frame: &Frame,
        here: &Span<'_>,
        sink: &mut Sink,
    ) -> Result<(), Violation> {
        let Some(mut message) = self.message.take() else {
            return Ok(());
        };
        let taken = self.take_part(&mut message, frame, here, sink);
        self.message = Some(message);
        taken
    }

    fn take_part(
        &mut self,
        message: &mut Message<J::Scan>,
        frame: &Frame,
        here: &Span<'_>,
        sink: &mut Sink,
    ) -> Result<(), Violation> {
        match message.doing {
            Doing::Skipping => {}
            Doing::Passing => sink.pass(here.at..here.end),
            Doing::Copying => {
                sink.pass(here.at..here.end);
                self.copy(message, frame, here);
            }
            Doing::Watching => {
                let sight = self.look(message, frame, here.bytes());
                let ends = frame.head.fin && here.ends_frame;
                if sight == Sight::Hold || (ends && !self.judge.kept(&mut message.scan)) {
                    return Err(Violation::Promise);
                }
                sink.pass(here.at..here.end);
            }
            Doing::Holding => self.hold(message, frame, here, sink),
            Doing::Deciding => self.decide(message, frame, here, sink),
        }
        Ok(())
    }

    fn decide(
        &mut self,
        message: &mut Message<J::Scan>,
        frame: &Frame,
        here: &Span<'_>,
        sink: &mut Sink,
    ) {
        let ends = frame.head.fin && here.ends_frame;
        let mut sight = self.look(message, frame, here.bytes());
        if sight == Sight::PassWatched && ends && !self.judge.kept(&mut message.scan) {
            sight = Sight::Hold;
        }
        message.doing = match sight {
            Sight::Undecided => {
                self.hold(message, frame, here, sink);
                return;
            }
            Sight::Hold => {
                message.doing = Doing::Holding;
                self.hold(message, frame, here, sink);
                return;
            }
            Sight::Pass => Doing::Passing,
            Sight::PassWatched => Doing::Watching,
            Sight::Copy => Doing::Copying,
        };
        release(message, frame, here, sink);
        if message.doing == Doing::Copying {
            self.copy(message, frame, here);
        } else {
            message.held = Vec::new();
        }
    }

    fn look(&self, message: &mut Message<J::Scan>, frame: &Frame, bytes: &[u8]) -> Sight {
        let Some(key) = frame.head.mask else {
            return self.judge.look(&mut message.scan, bytes);
        };
        let mut block = [0; UNMASK_BLOCK];
        let mut sight = Sight::Undecided;
        let mut done = frame.done;
        for masked in bytes.chunks(UNMASK_BLOCK) {
            let plain = &mut block[..masked.len()];
            plain.copy_from_slice(masked);
            mask_from(plain, key, done);
            done += masked.len() as u64;
            sight = self.judge.look(&mut message.scan, plain);
            if matches!(sight, Sight::Hold | Sight::Pass) {
                return sight;
            }
        }
        sight
    }

    fn hold(
        &mut self,
        message: &mut Message<J::Scan>,
        frame: &Frame,
        here: &Span<'_>,
        sink: &mut Sink,
    ) {
        if message.held.len() + here.bytes().len() > self.hold_limit {
            message.held = Vec::new();
            message.doing = Doing::Skipping;
            self.judge.skipped(false, sink);
            return;
        }
        append(&mut message.held, frame, here.bytes());
    }

    fn copy(&self, message: &mut Message<J::Scan>, frame: &Frame, here: &Span<'_>) {
        if message.cut || message.held.len() + here.bytes().len() > self.hold_limit {
            message.cut = true;
            message.held = Vec::new();
            return;
        }
        append(&mut message.held, frame, here.bytes());
    }

    fn end_frame(
        &mut self,
        frame: &Frame,
        sink: &mut Sink,
        keys: Keys<'_>,
    ) -> Result<(), Violation> {
        if frame.head.opcode.is_control() {
            return self.end_control(frame, sink);
        }
        let Some(mut message) = self.message.take() else {
            return Ok(());
        };
        if !frame.head.fin {
            message.of_earlier = message.held.len();
            self.message = Some(message);
            return Ok(());
        }
        match message.doing {
            Doing::Passing | Doing::Watching => {}
            Doing::Copying => {
                let copy = (!message.cut).then_some(message.held);
                self.judge.copied(copy, sink);
            }
            Doing::Skipping if message.cut => self.judge.skipped(true, sink),
            Doing::Skipping => {}
            Doing::Deciding | Doing::Holding => {
                if let Judged::Forward(event) = self.judge.judge(message.held, sink) {
                    let key = (self.side == Side::Client).then(keys);
                    sink.own(Head::frame(true, Opcode::Text, key, &event));
                }
            }
        }
        Ok(())
    }

    fn end_control(&mut self, frame: &Frame, sink: &mut Sink) -> Result<(), Violation> {
        let Head { opcode, mask, .. } = frame.head;
        if opcode == Opcode::Close {
            let close = Close::read(&self.control)
                .map_err(|_| Violation::Protocol("a close has no good code or reason"))?;
            sink.closed = Some(close);
            self.closed = true;
        }
        sink.own(Head::frame(true, opcode, mask, &self.control));
        self.control = Vec::new();
        Ok(())
    }
}
