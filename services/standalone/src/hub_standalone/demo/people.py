"""Invented people: names as they occur in an Indian college, addresses that belong to nobody."""

import random
from dataclasses import dataclass

_FEMALE = """
    Aanya Aditi Ananya Bhavna Chitra Deepika Diya Esha Fatima Gayatri Harini Ishita Jaya Kavya Keerthi Lakshmi
    Meera Naina Neha Nithya Pooja Priya Radhika Riya Saanvi Sana Shreya Sneha Tanvi Vaishnavi Zoya Zoë
"""
_MALE = """
    Aarav Abhishek Aditya Akash Arjun Bharat Chirag Dev Dhruv Farhan Ganesh Harsh Imran Ishaan José Karan Kartik
    Lokesh Manish Mohit Nikhil Om Pranav Rahul Rohan Sameer Siddharth Tarun Uday Varun Vikram Yash
"""
_FAMILY = """
    Agarwal Banerjee Bhat Chatterjee Chauhan Das Desai Deshpande D'Souza Fernandes Gupta Iyer Jain Joshi Kapoor Khan
    Kulkarni Kumar Mehta Menon Mishra Mukherjee Naidu Nair Patel Patil Pillai Rao Reddy Saxena Shaikh Sharma Shetty
    Singh Sinha Srinivasan Thakur Tiwari Varma Yadav
"""


@dataclass(frozen=True, slots=True)
class Person:
    first_name: str
    last_name: str
    gender: str

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


def draw_people(chance: random.Random, count: int) -> list[Person]:
    """That many different people; the order is the draw's."""
    pairs = [
        Person(first, last, gender)
        for gender, names in (("female", _FEMALE), ("male", _MALE))
        for first in names.split()
        for last in _FAMILY.split()
    ]
    return chance.sample(pairs, count)


def phone_number(serial: int) -> str:
    """A number in E.164 form that no subscriber in India can have: mobile numbers begin with 6 to 9."""
    return f"+915550{serial:06d}"
