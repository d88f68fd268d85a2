"""Losses equal hand-worked numbers."""

import math

import pytest
import torch

from stabn.losses import classification_loss, temporal_loss


def test_equation_4_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # p = (3/4, 1/4), (1/2, 1/2)
    attention = torch.tensor([[0.0, 0.0], [0.0, math.log(4.0)]])  # p = (1/2, 1/2), (1/5, 4/5)
    labels = torch.tensor([0, 1])
    loss = classification_loss(logits, attention, labels)
    perception = (math.log(4 / 3) + math.log(2)) / 2
    branch = (math.log(2) + math.log(5 / 4)) / 2
    assert loss.perception.item() == pytest.approx(perception)
    assert loss.attention.item() == pytest.approx(branch)
    assert loss.total.item() == pytest.approx(perception + branch)


def test_without_a_branch_only_the_perception_loss_is_left():
    logits, labels = torch.randn(3, 4), torch.tensor([0, 1, 3])
    loss = classification_loss(logits, None, labels)
    assert loss.total == loss.perception
    assert loss.attention == 0


def test_equation_6_by_hand_and_only_edited_clips_count():
    m_t = torch.tensor([[0.2, 0.6], [0.9, 0.9], [0.0, 1.0]])
    target = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.5, 0.5]])
    edited = torch.tensor([True, False, True])
    first = (0.2**2 + 0.4**2) / 2
    third = (0.5**2 + 0.5**2) / 2
    loss = temporal_loss(m_t, target, edited, gamma=10.0)
    assert loss.item() == pytest.approx(10 * (first + third) / 2)


def test_no_edited_clip_gives_zero_loss_and_zero_gradient():
    m_t = torch.rand(2, 3, requires_grad=True)
    target = torch.full((2, 3), float("nan"))  # never read
    loss = temporal_loss(m_t, target, torch.tensor([False, False]), gamma=10.0)
    loss.backward()
    assert loss == 0
    assert (m_t.grad == 0).all()


def test_two_processes_that_average_their_gradients_get_the_whole_batchs_loss():
    m_t, target = torch.rand(6, 3), torch.rand(6, 3)
    edited = torch.tensor([True, False, False, True, True, False])
    whole = temporal_loss(m_t, target, edited, gamma=10.0)
    divisor = edited.sum() / 2
    shares = [
        temporal_loss(m_t[rank::2], target[rank::2], edited[rank::2], 10.0, divisor)
        for rank in (0, 1)
    ]
    torch.testing.assert_close((shares[0] + shares[1]) / 2, whole)


def test_smoothed_labels_by_hand_in_both_branches():
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])  # p = (3/4, 1/4), (1/2, 1/2)
    attention = torch.tensor([[0.0, 0.0], [0.0, math.log(4.0)]])  # p = (1/2, 1/2), (1/5, 4/5)
    loss = classification_loss(logits, attention, torch.tensor([0, 1]), smoothing=0.2)
    # the target is 0.9 for the label, 0.1 for the other class
    perception = (0.9 * math.log(4 / 3) + 0.1 * math.log(4) + math.log(2)) / 2
    branch = (math.log(2) + 0.9 * math.log(5 / 4) + 0.1 * math.log(5)) / 2
    assert loss.perception.item() == pytest.approx(perception)
    assert loss.attention.item() == pytest.approx(branch)
    assert loss.total.item() == pytest.approx(perception + branch)
