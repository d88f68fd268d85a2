"""What annotators read before they begin."""

GUIDELINES = """
<div style="max-width: 46em; line-height: 1.5"><h1>When should the network look?</h1>
<p>A network watched short videos and got some of them wrong. Beside each video you see, frame by
frame, how much it relied on that frame. Please put that right: say <b>when</b> there is something
to see.</p>
<ul>
<li><b>1</b>: the action that the title names is going on in this frame.</li>
<li><b>0.5</b>: it is not, but the frame helps to understand it: the hand comes or goes, and can be
seen.</li>
<li><b>0</b>: nothing in this frame has to do with it. The thing that only lies there is 0, and so
is whatever else moves.</li>
</ul>
<p>The quickest way: <b>All 0</b>; drag from the first frame to the last that you mean (or click the
one, hold Shift and click the other), and press a key: <kbd>1</kbd> sets them to 1, <kbd>5</kbd> to
0.5, <kbd>0</kbd> to 0. Or choose a level first and drag it over the frames; or play the video and
hold the key for as long as what you see has that level. Every change is saved at once, and every
change can be undone. <kbd>Enter</kbd> goes on to the next video.</p>
<p>If the network was right already, change nothing and go on: “Next video” on a video that you did
not change keeps it as “looked at, nothing to correct”, and undo takes that back. If you do not want
to answer now, press “Skip”: the video comes again at the end. If you cannot tell, say so: that is
an answer too. A frame more or less at the edges does not matter.</p>
<p>The table of probabilities shows what this network makes of your levels. It is no mark for them:
a right correction may well lower the right answer, until the network has learned from it.</p></div>
"""
